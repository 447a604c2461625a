"""Accessibility: axe-core and reduced motion."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browser.steps import PHONE, OpenPage, Served, choose_photo, paint, press_paint, press_stop, start_long_job
from playwright.sync_api import Page, expect


def violations(page: Page) -> str:
    """Report of the violations found by axe-core; empty without any."""
    results = Axe().run(page)
    return str(results.generate_report()) if results.violations_count else ""


def test_axe_finds_no_violations_in_any_state_on_a_dark_phone(open_page: OpenPage, photo: Path) -> None:
    page = open_page(**PHONE, color_scheme="dark")
    expect(page.locator("input[name=style]:checked")).to_be_attached()
    assert violations(page) == ""

    page.get_by_role("button", name="Add your own").click()
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == ""
    page.keyboard.press("Escape")

    choose_photo(page, photo)
    page.get_by_role("button", name="Blend with a second style").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Variation").fill("-3")
    press_paint(page)
    expect(page.get_by_role("alert").filter(has_text="Variation")).to_be_visible()
    assert violations(page) == ""

    page.get_by_label("Variation").fill("0")
    start_long_job(page, photo)
    assert violations(page) == ""


def test_axe_finds_no_violations_on_a_light_desktop(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    paint(page, photo)
    assert violations(page) == ""

    page.goto(f"{served.address}docs")
    expect(page.locator("#Problem")).to_be_attached()
    assert violations(page) == ""


def test_reduced_motion_disables_all_animations(open_page: OpenPage, photo: Path) -> None:
    page = open_page(reduced_motion="reduce")
    start_long_job(page, photo)
    press_stop(page)
    moving = "document.getAnimations().map((each) => each.effect.target.outerHTML)"
    assert page.evaluate(moving) == []
