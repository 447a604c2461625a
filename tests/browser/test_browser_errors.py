"""What a person is told when something is wrong, and where."""

from __future__ import annotations

from pathlib import Path

from browser.steps import OpenPage, Served, choose, expect_state, give_photo, paint, press_paint, style
from PIL import Image
from playwright.sync_api import Route, expect


def test_a_wrong_option_is_told_at_its_field_and_mended_there(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    give_photo(page, photo)
    choose(page)
    page.get_by_text("More", exact=True).click()
    seed = page.get_by_label("Variation")
    seed.fill("-3")
    page.get_by_text("More", exact=True).click()
    press_paint(page)

    message = page.get_by_role("alert").filter(has_text="Variation is -3; it must be a whole number")
    expect(message).to_be_in_viewport()  # though the part it is in was closed
    expect(seed).to_be_focused()
    expect(seed).to_have_attribute("aria-invalid", "true")
    seed.fill("3")
    expect(message).to_have_count(0)
    press_paint(page)
    expect_state(page, "done")


def test_a_file_that_is_no_picture_is_told_at_the_photo(open_page: OpenPage, tmp_path: Path, photo: Path) -> None:
    words = tmp_path / "words.jpg"
    words.write_text("A thousand of these are worth one picture.")
    page = open_page()
    give_photo(page, words)
    choose(page)
    press_paint(page)

    notice = page.get_by_role("region", name="Your picture").get_by_role("alert")
    expect(notice).to_contain_text("Possible: jpeg, png")
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear painter,")
    give_photo(page, letter)
    expect(notice).to_be_hidden()
    press_paint(page)
    expect(notice).to_contain_text("“letter.txt” is not a picture of a kind that can be painted")
    paint(page, photo)
    expect(notice).to_be_hidden()


def test_a_mask_of_another_shape_is_told_at_the_mask(open_page: OpenPage, photo: Path, tmp_path: Path) -> None:
    page = open_page()
    give_photo(page, photo)
    page.get_by_text("More", exact=True).click()
    mask = page.locator("[data-field=mask]")
    small = tmp_path / "small.png"
    Image.new("L", (32, 32), 255).save(small)
    mask.locator("input").set_input_files(small)
    press_paint(page)

    expect(mask.get_by_role("alert")).to_contain_text("320 x 240")
    expect_state(page, "photo")


def test_style_sheet_reports_missing_picture_or_title(open_page: OpenPage, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:600])
    page = open_page()
    page.get_by_role("button", name="Add your own").click()
    sheet = page.get_by_role("dialog")

    sheet.get_by_role("button", name="Add").click()
    expect(sheet.get_by_role("alert")).to_have_text("Choose a picture first.")
    sheet.get_by_label("Choose a picture").set_input_files(broken)
    expect(sheet.get_by_role("alert")).to_have_count(0)
    sheet.get_by_label("Title").fill(" ")
    sheet.get_by_role("button", name="Add").click()
    expect(sheet.locator("[data-field=title]").get_by_role("alert")).to_have_text("Give it a title.")
    sheet.get_by_label("Title").fill("Broken")
    sheet.get_by_role("button", name="Add").click()
    expect(sheet.locator("[data-field=upload]").get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.get_by_role("button", name="Add your own")).to_be_focused()


def test_a_server_that_is_away_is_told_and_the_photo_is_not_lost(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    give_photo(page, photo)
    choose(page)
    page.context.set_offline(True)
    press_paint(page)

    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_visible()
    expect_state(page, "photo")
    page.context.set_offline(False)
    press_paint(page)
    expect_state(page, "done")


def test_a_browser_that_keeps_nothing_of_a_page_can_paint(open_page: OpenPage, served: Served, photo: Path) -> None:
    page = open_page("about:blank")
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
           indexedDB.open = () => { throw new DOMException("no", "SecurityError"); };"""
    )
    page.goto(served.address)

    paint(page, photo)


def test_page_retries_a_service_that_is_briefly_busy(open_page: OpenPage, served: Served) -> None:
    refusals = iter(2 * [{"type": "/problems/throttled", "title": "Too many requests at a time", "status": 429}])

    def refuse_twice(route: Route) -> None:
        refusal = next(refusals, None)
        if refusal:
            route.fulfill(status=429, json=refusal)
        else:
            route.continue_()

    page = open_page("about:blank")
    page.route("**/v1/styles?*", refuse_twice)
    page.goto(served.address)

    expect(style(page, "woodcut")).to_be_attached()
    assert next(refusals, None) is None
