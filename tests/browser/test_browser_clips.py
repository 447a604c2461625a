"""Clips on the page: a GIF and a video, painted and shown moving."""

from __future__ import annotations

import re
from pathlib import Path

from browser.steps import DESKTOP, OpenPage, choose_photo, expect_state, press_paint, style
from disk_clips import gif, read_frames, video
from playwright.sync_api import Page, expect


def paint_clip(page: Page, clip: Path) -> None:
    style(page, "woodcut").check()
    choose_photo(page, clip)
    page.locator("#size").select_option("512")
    page.locator('input[name="method"][value="color"]').check()
    press_paint(page)


def saved(page: Page, folder: Path) -> tuple[str, bytes]:
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    downloading.value.save_as(folder / "painting")
    return downloading.value.suggested_filename, (folder / "painting").read_bytes()


def test_gif_is_painted_and_shown_animated(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(**DESKTOP)
    (tmp_path / "ball.gif").write_bytes(gif(4))

    paint_clip(page, tmp_path / "ball.gif")
    before = page.locator("#photo").get_attribute("src")

    expect_state(page, "done")
    expect(page.locator("#caption")).to_have_text(re.compile(r"^Woodcut · 512 . 341 · 4 frames · "))
    assert page.locator("#photo").get_attribute("src") != before, "both animations start at once"
    expect(page.get_by_role("img", name="The painting")).to_be_visible()
    name, data = saved(page, tmp_path)
    assert name == "painting-woodcut.gif"
    assert len(read_frames(data)) == 4


def test_video_is_painted_and_played_beside_the_clip(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(**DESKTOP)
    (tmp_path / "ball.webm").write_bytes(video(4, kind="webm"))  # the tests' Chromium plays no H.264

    paint_clip(page, tmp_path / "ball.webm")

    expect(page.locator("#photo-video")).to_be_visible()
    expect_state(page, "done")
    expect(page.locator("#caption")).to_have_text(re.compile(r" · 4 frames · "))
    painting = page.locator("#painting-video" if plays_mp4(page) else "#painting")
    expect(painting).to_be_visible()
    name, data = saved(page, tmp_path)
    assert name == "painting-woodcut.mp4"
    assert len(read_frames(data)) == 4


def test_formats_follow_whether_every_frame_is_painted(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(**DESKTOP)
    (tmp_path / "ball.gif").write_bytes(gif(2))
    choose_photo(page, tmp_path / "ball.gif")
    expect(page.locator("#animate")).to_be_checked()

    for animate in (True, False):
        page.locator("#animate").set_checked(animate)
        expect(page.locator("#format")).to_have_value("gif" if animate else "jpeg")
        assert page.locator("#format option[value=jpeg]").is_disabled() is animate
        assert page.locator("#format option[value=mp4]").is_enabled() is animate


def plays_mp4(page: Page) -> bool:
    return bool(page.evaluate("""document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"')"""))
