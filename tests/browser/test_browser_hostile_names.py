"""Hostile file names, titles and URLs: shown as text, never executed."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.steps import OpenPage, Served, paint
from playwright.sync_api import FilePayload, Page, expect

NAMES = (
    "<img src=x onerror=window.ran=1>",
    "<script>window.ran=1</script>",
    "\"'><svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "{{constructor.constructor('window.ran=1')()}} ${window.ran=1}",
)


@pytest.fixture
def hostile(served: Served, photo: Path) -> list[str]:
    """Ids of styles with these titles."""
    made = []
    for name in NAMES:
        form = served.api.post("/v1/uploads", json={"media_type": "image/jpeg"}).json()
        served.api.post(form["url"], data=form["fields"], files={"file": photo.read_bytes()}).raise_for_status()
        style = served.api.post("/v1/styles", json={"upload": form["id"], "title": name})
        made.append(str(style.raise_for_status().json()["id"]))
    return made


def expect_harmless(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src=x], svg[onload], body script:not([src])").count() == 0


def test_hostile_style_title_is_shown_as_text(open_page: OpenPage, photo: Path, hostile: list[str]) -> None:
    page = open_page()
    for name, style_id in zip(NAMES, hostile, strict=True):
        tile = page.locator(f"label.tile:has(input[value={style_id}])")
        expect(tile).to_contain_text(name)
        expect(tile).to_have_attribute("title", f"{name} · Your own")
    page.locator(f"input[name=style][value={hostile[0]}]").check()
    paint(page, photo)

    expect(page.locator("#caption")).to_contain_text(NAMES[0])
    expect(page.locator(".card-title").first).to_have_text(NAMES[0])
    page.reload()
    expect(page.locator("#caption")).to_contain_text(NAMES[0])
    expect_harmless(page)


def test_hostile_file_name_is_shown_as_text(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    for name in NAMES:
        file = FilePayload(name=f"{name}.jpg", mimeType="image/jpeg", buffer=photo.read_bytes())
        shown = name.rpartition("/")[2]  # browsers strip folders
        page.get_by_label("Choose a photo").set_input_files(file)
        expect(page.locator("#caption")).to_contain_text(shown)
        page.get_by_role("button", name="Add your own").click()
        sheet = page.get_by_role("dialog", name="A style of your own")
        sheet.get_by_label("Choose a picture").set_input_files(file)
        expect(sheet.locator("#own-file-name")).to_contain_text(shown)
        sheet.get_by_role("button", name="Cancel").click()
        expect_harmless(page)


def test_hostile_url_fragment_is_harmless(open_page: OpenPage, served: Served) -> None:
    for name in NAMES:
        page = open_page(f"{served.address}#{name}")
        expect(page.get_by_role("region", name="Your picture")).to_be_visible()
        expect_harmless(page)
