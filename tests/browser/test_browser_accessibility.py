"""For everyone: axe-core finds nothing to mend in any state of the page, and nothing moves for who wants that."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browser.steps import PHONE, OpenPage, Served, begin_a_long_one, give_photo, paint, press_paint, press_stop
from playwright.sync_api import Page, expect


def findings(page: Page) -> str:
    """What axe-core would have mended, as a report."""
    results = Axe().run(page)
    return str(results.generate_report()) if results.violations_count else ""


def test_axe_finds_nothing_in_any_state_of_the_page(open_page: OpenPage, photo: Path) -> None:
    page = open_page(**PHONE, color_scheme="dark")
    expect(page.locator("input[name=style]:checked")).to_be_attached()
    assert findings(page) == ""

    page.get_by_role("button", name="Add your own").click()
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert findings(page) == ""
    page.keyboard.press("Escape")

    give_photo(page, photo)
    page.get_by_role("button", name="Blend with a second style").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Variation").fill("-3")
    press_paint(page)
    expect(page.get_by_role("alert").filter(has_text="Variation")).to_be_visible()
    assert findings(page) == ""

    page.get_by_label("Variation").fill("0")
    begin_a_long_one(page, photo)
    assert findings(page) == ""


def test_axe_finds_nothing_on_a_large_screen_by_day(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    paint(page, photo)
    assert findings(page) == ""

    page.goto(f"{served.address}docs")
    expect(page.locator("#Problem")).to_be_attached()
    assert findings(page) == ""


def test_nothing_moves_for_who_wants_no_motion(open_page: OpenPage, photo: Path) -> None:
    page = open_page(reduced_motion="reduce")
    begin_a_long_one(page, photo)
    press_stop(page)
    moving = "document.getAnimations().map((each) => each.effect.target.outerHTML)"
    assert page.evaluate(moving) == []
