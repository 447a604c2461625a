"""Painting on the page, from photo to download."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser.steps import (
    DESKTOP,
    PHONE,
    OpenPage,
    Served,
    choose,
    choose_photo,
    drop_photo,
    expect_state,
    paint,
    press_paint,
    press_stop,
    start_long_job,
    style,
)
from PIL import Image
from playwright.sync_api import Route, expect


@pytest.mark.parametrize(("device", "way"), [(PHONE, "camera"), (DESKTOP, "drop")], ids=["phone", "desktop"])
def test_photo_is_painted_in_a_style_and_downloaded(
    open_page: OpenPage, photo: Path, tmp_path: Path, device: dict[str, Any], way: str
) -> None:
    page = open_page(**device)

    style(page, "woodcut").check()
    expect(page.get_by_text("Your photo, painted like Woodcut")).to_be_visible()
    expect(page.get_by_text("Take a photo")).to_be_visible(visible=way == "camera")
    if way == "camera":
        page.get_by_label("Take a photo").set_input_files(photo)
    else:
        drop_photo(page, photo)
    expect(page.get_by_role("img", name="Your photo")).to_be_visible()
    choose(page)
    press_paint(page)

    expect_state(page, "done")
    expect(page.locator("#caption")).to_have_text(re.compile("^Woodcut · 512 . 384 · "))
    expect(page.get_by_role("img", name="The painting")).to_be_in_viewport()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    assert downloading.value.suggested_filename == "painting-woodcut.jpg"
    downloading.value.save_as(tmp_path / "painting.jpg")
    with Image.open(tmp_path / "painting.jpg") as painting:
        assert (painting.format, painting.size) == ("JPEG", (512, 384))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_comparison_works_by_keyboard_after_reload(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    paint(page, photo)
    page.reload()
    expect_state(page, "done")

    slider = page.get_by_role("slider", name="Before and after")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100 % photo, 0 % painting")
    expect(page.locator("#painting-figure")).to_have_css("clip-path", "inset(0px 0px 0px 100%)")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "99 % photo, 1 % painting")
    page.get_by_role("radio", name="Side by side").check()
    before, after = (page.get_by_role("img", name=name) for name in ("Your photo", "The painting"))
    assert [image.evaluate("image => image.naturalWidth") for image in (before, after)] == [320, 512]
    left, right = before.bounding_box(), after.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]


def test_progress_and_previews_are_shown_until_stop(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    start_long_job(page, photo)

    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("img", name="The painting")).to_have_attribute("src", re.compile("/preview"))
    press_stop(page)

    expect(page.get_by_role("status").filter(has_text="Stopped.")).to_be_attached()
    expect_state(page, "photo")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.locator("#history-list li").first).to_contain_text("Stopped")


def test_stopped_upload_is_sent_again(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    choose_photo(page, photo)
    choose(page)
    page.route("**/v1/uploads/*/file", lambda _: None)  # never responds
    press_paint(page)
    expect(page.locator("#caption")).to_have_text("Uploading the photo …")

    press_stop(page)

    expect(page.locator("#caption")).to_have_text("Stopped.")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.unroute_all()
    press_paint(page)
    expect_state(page, "done")


def test_photo_submitted_before_styles_load_is_painted(open_page: OpenPage, served: Served, photo: Path) -> None:
    page = open_page("about:blank")
    held: list[Route] = []
    page.route("**/v1/styles?*", lambda route: held.append(route))
    page.goto(served.address)
    choose_photo(page, photo)
    choose(page)

    press_paint(page)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    while held:
        held.pop().continue_()

    expect_state(page, "done")


def test_running_job_is_displayed_after_reload(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    start_long_job(page, photo)

    page.reload()

    expect(page.locator("#caption")).to_contain_text("Painting … ")
    expect(page.get_by_role("radio", name="Texture")).to_be_checked()
    press_stop(page)
    expect_state(page, "photo")  # from the photo cache


def test_page_is_usable_by_keyboard_only(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    page.on("filechooser", lambda _: None)  # enables interception of file choosers, with a delay
    first = page.locator("input[name=style]:checked").get_attribute("value")

    def tab_to(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached by Tab")

    tab_to("#photo-file")
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(photo)
    expect_state(page, "photo")
    tab_to("input[name=style]")
    page.keyboard.press("ArrowRight")
    expect(style(page, str(first))).not_to_be_checked()
    tab_to("#size")
    page.keyboard.type("512")
    tab_to("#paint")
    page.keyboard.press("Enter")
    expect_state(page, "done")
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_focused()
    tab_to("#history-list a[aria-current=true]")
    tab_to("#wipe")  # once around the page
