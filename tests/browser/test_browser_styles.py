"""Styles: search, own styles, blends."""

from __future__ import annotations

from pathlib import Path

from browser.steps import OpenPage, Served, paint, style
from playwright.sync_api import expect


def test_own_style_is_saved_and_used(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    page.get_by_role("button", name="Add your own").click()
    sheet = page.get_by_role("dialog", name="A style of your own")
    sheet.get_by_label("Choose a picture").set_input_files(photo)
    expect(sheet.get_by_label("Title")).to_have_value("My holiday photo")
    sheet.get_by_label("Title").fill("Grandma's quilt")
    sheet.get_by_role("button", name="Add").click()

    expect(sheet).to_be_hidden()
    expect(page.get_by_role("radio", name="Grandma's quilt")).to_be_checked()
    job = served.job(paint(page, photo))
    assert job["status"] == "succeeded"
    assert job["styles"][0]["style"].startswith("sty_")
    expect(page.locator("#caption")).to_contain_text("Grandma's quilt")
    another_day = open_page()
    expect(another_day.get_by_role("radio", name="Grandma's quilt")).to_be_attached()


def test_own_styles_are_listed_first_newest_first(open_page: OpenPage, photo: Path, served: Served) -> None:
    form = served.api.post("/v1/uploads", json={"media_type": "image/jpeg"}).json()
    served.api.post(form["url"], data=form["fields"], files={"file": photo.read_bytes()}).raise_for_status()
    made = [
        served.api.post("/v1/styles", json={"upload": form["id"], "title": title}).json()["id"]
        for title in ("Older", "Newer")
    ]
    tiles = open_page().locator("input[name=style]")

    expect(tiles.nth(0)).to_have_value(made[1])
    expect(tiles.nth(1)).to_have_value(made[0])


def test_two_styles_are_blended_by_a_slider(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    style(page, "woodcut").check()
    page.get_by_role("button", name="Blend with a second style").click()
    style(page, "watercolor").check()
    slider = page.get_by_role("slider", name="Balance of the two styles")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "60 % Woodcut, 40 % Watercolor")

    job = served.job(paint(page, photo))

    assert job["status"] == "succeeded"
    assert [(entry["style"], entry["weight"]) for entry in job["styles"]] == [("woodcut", 60), ("watercolor", 40)]
    expect(page.locator("#caption")).to_contain_text("Woodcut + Watercolor")
    page.reload()  # which restores the blend
    expect(slider).to_have_attribute("aria-valuetext", "60 % Woodcut, 40 % Watercolor")
    page.get_by_role("button", name="Use one style only").click()
    expect(slider).to_be_hidden()
    expect(style(page, "woodcut")).to_be_checked()


def test_style_search_matches_title_artist_year_without_accents(
    open_page: OpenPage, photo: Path, served: Served
) -> None:
    form = served.api.post("/v1/uploads", json={"media_type": "image/jpeg"}).json()
    served.api.post(form["url"], data=form["fields"], files={"file": photo.read_bytes()}).raise_for_status()
    served.api.post("/v1/styles", json={"upload": form["id"], "title": "Étoffe à carreaux"}).raise_for_status()
    page = open_page()
    found = page.locator("input[name=style]:visible")
    field = page.get_by_label("Find a style")

    field.fill("etoffe a carreaux")
    expect(page.get_by_text("1 style", exact=True)).to_be_attached()
    expect(found).to_have_count(1)
    woodcut = next(each for each in served.styles() if each["id"] == "woodcut")
    field.fill(f"{woodcut['artist']} {woodcut['year']} wood")
    expect(style(page, "woodcut")).to_be_visible()
    field.fill("no such style")
    expect(page.get_by_text("No matching styles.")).to_be_visible()
    field.press("Enter")  # does not submit the form
    field.fill("")
    expect(found).to_have_count(len(served.styles()))
