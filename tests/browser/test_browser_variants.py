"""Variants on the page: several paintings of one photo, to choose from."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browser.steps import DESKTOP, PHONE, OpenPage, Served, choose, choose_photo, expect_state, paint, press_paint
from disk_clips import gif
from playwright.sync_api import Locator, Page, expect


def control(page: Page) -> Locator:
    return page.get_by_role("group", name="Paintings to choose from")


def sheet(page: Page) -> Locator:
    return page.get_by_role("radiogroup", name="Paintings of this photo")


def paint_variants(page: Page, photo: Path, count: int) -> str:
    """Paint `count` variants, and return the job id."""
    control(page).get_by_role("radio", name=str(count)).check()
    return paint(page, photo)


def downloaded(page: Page, folder: Path) -> tuple[str, bytes]:
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    downloading.value.save_as(folder / "painting")
    return downloading.value.suggested_filename, (folder / "painting").read_bytes()


def test_variant_is_chosen_by_keyboard_and_downloaded(
    open_page: OpenPage, photo: Path, served: Served, tmp_path: Path
) -> None:
    page = open_page(**DESKTOP)
    job_id = paint_variants(page, photo, 3)

    expect(sheet(page).get_by_role("radio")).to_have_count(3)
    second = sheet(page).get_by_role("radio", name="Painting 2")
    sheet(page).get_by_role("radio", name="Painting 1").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="Download")).to_have_attribute("download", "painting-impasto-swirls-2.jpg")

    expect(second).to_be_checked()
    expect(second).to_be_focused()
    name, data = downloaded(page, tmp_path)
    assert name == "painting-impasto-swirls-2.jpg"
    images = [
        served.api.get(f"/v1/stylizations/{job_id}/image?variant={number}", follow_redirects=True).content
        for number in (1, 2, 3)
    ]
    assert data == images[1]
    assert len(set(images)) == 3


def test_variants_are_restored_after_a_reload(open_page: OpenPage, photo: Path) -> None:
    page = open_page(**PHONE)
    paint_variants(page, photo, 2)

    page.reload()

    expect_state(page, "done")
    expect(sheet(page).get_by_role("radio")).to_have_count(2)
    expect(sheet(page).get_by_role("radio", name="Painting 1")).to_be_checked()
    expect(control(page).get_by_role("radio", name="2")).to_be_checked()
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()


def test_single_painting_has_no_sheet_of_variants(open_page: OpenPage, photo: Path) -> None:
    page = open_page(**DESKTOP)
    paint_variants(page, photo, 2)
    expect(sheet(page)).to_be_visible()

    control(page).get_by_role("radio", name="1").check()
    press_paint(page)

    expect(sheet(page)).to_be_hidden()
    expect_state(page, "done")
    expect(sheet(page)).to_be_hidden()


def test_clip_offers_no_variants(open_page: OpenPage, photo: Path, tmp_path: Path) -> None:
    page = open_page(**DESKTOP)
    (tmp_path / "ball.gif").write_bytes(gif(4))

    choose_photo(page, tmp_path / "ball.gif")
    expect(control(page)).to_be_hidden()

    choose_photo(page, photo)
    expect(control(page)).to_be_visible()
    choose(page)
