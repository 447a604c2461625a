"""Error messages and where they appear."""

from __future__ import annotations

from pathlib import Path

from browser.steps import OpenPage, Served, choose, choose_photo, expect_state, paint, press_paint, style
from PIL import Image
from playwright.sync_api import Route, expect


def test_invalid_option_shows_error_at_its_field(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    choose_photo(page, photo)
    choose(page)
    page.get_by_text("More", exact=True).click()
    seed = page.get_by_label("Variation")
    seed.fill("-3")
    page.get_by_text("More", exact=True).click()
    press_paint(page)

    message = page.get_by_role("alert").filter(has_text="Variation is -3; it must be a whole number")
    expect(message).to_be_in_viewport()  # although its section was collapsed
    expect(seed).to_be_focused()
    expect(seed).to_have_attribute("aria-invalid", "true")
    seed.fill("3")
    expect(message).to_have_count(0)
    press_paint(page)
    expect_state(page, "done")


def test_unsupported_photo_shows_error_at_the_photo(open_page: OpenPage, tmp_path: Path, photo: Path) -> None:
    words = tmp_path / "words.jpg"
    words.write_text("A thousand of these are worth one picture.")
    page = open_page()
    choose_photo(page, words)
    choose(page)
    press_paint(page)

    notice = page.get_by_role("region", name="Your picture").get_by_role("alert")
    expect(notice).to_contain_text("Allowed: jpeg, png")
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear painter,")
    choose_photo(page, letter)
    expect(notice).to_be_hidden()
    press_paint(page)
    expect(notice).to_contain_text("“letter.txt” is not in a supported format")
    paint(page, photo)
    expect(notice).to_be_hidden()


def test_mask_of_another_shape_shows_error_at_the_mask(open_page: OpenPage, photo: Path, tmp_path: Path) -> None:
    page = open_page()
    choose_photo(page, photo)
    page.get_by_text("More", exact=True).click()
    mask = page.locator("[data-field=mask]")
    small = tmp_path / "small.png"
    Image.new("L", (32, 32), 255).save(small)
    mask.locator("input").set_input_files(small)
    press_paint(page)

    expect(mask.get_by_role("alert")).to_contain_text("320 x 240")
    expect_state(page, "photo")


def test_incomplete_own_style_shows_error_in_its_dialog(open_page: OpenPage, photo: Path, tmp_path: Path) -> None:
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
    expect(sheet.locator("[data-field=title]").get_by_role("alert")).to_have_text("Enter a title.")
    sheet.get_by_label("Title").fill("Broken")
    sheet.get_by_role("button", name="Add").click()
    expect(sheet.locator("[data-field=upload]").get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.get_by_role("button", name="Add your own")).to_be_focused()


def test_unreachable_server_shows_error_and_keeps_the_photo(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    choose_photo(page, photo)
    choose(page)
    page.context.set_offline(True)
    press_paint(page)

    expect(page.get_by_role("alert").filter(has_text="The server is not responding")).to_be_visible()
    expect_state(page, "photo")
    page.context.set_offline(False)
    press_paint(page)
    expect_state(page, "done")


def test_painting_works_without_browser_storage(open_page: OpenPage, served: Served, photo: Path) -> None:
    page = open_page("about:blank")
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
           indexedDB.open = () => { throw new DOMException("no", "SecurityError"); };"""
    )
    page.goto(served.address)

    paint(page, photo)


def test_throttled_request_is_retried(open_page: OpenPage, served: Served) -> None:
    refusals = iter(2 * [{"type": "/problems/throttled", "title": "Too many requests", "status": 429}])

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
