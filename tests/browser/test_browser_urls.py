"""A photo by URL, and metadata to keep, on the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.steps import DESKTOP, PHONE, OpenPage, Served, choose, choose_photo, expect_state, press_paint
from camera_exif import camera_exif
from PIL import Image
from PIL.ExifTags import Base
from playwright.sync_api import Locator, Page, expect

ADDRESS = "https://photos.invalid/holiday/cat.jpg"


@pytest.fixture
def fetching_server(
    serve_data: Callable[..., AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Address of a server that fetches pictures."""
    monkeypatch.setenv("STYLIZER_URL_INPUTS", "true")
    with serve_data() as address:
        yield address


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Photo by URL")


def assert_accessible(page: Page) -> None:
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()


@pytest.mark.parametrize(("device", "colors"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_refused_url_is_shown_in_its_dialog_again(
    open_page: OpenPage, fetching_server: str, device: dict[str, object], colors: str
) -> None:
    page = open_page(fetching_server, **device, color_scheme=colors)
    page.get_by_role("button", name="Photo by URL").focus()
    page.keyboard.press("Enter")
    field = dialog(page).get_by_label("Address of the picture")
    expect(field).to_be_focused()

    page.keyboard.type("http://photos.invalid/cat.jpg")
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("alert")).to_contain_text("Enter an https address")
    assert_accessible(page)

    field.fill(ADDRESS)
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    expect_state(page, "photo")
    expect(page.get_by_text("cat.jpg from photos.invalid will be downloaded when you paint.")).to_be_visible()
    assert_accessible(page)

    choose(page)
    press_paint(page)
    alert = dialog(page).get_by_role("alert")
    expect(alert).to_contain_text("The address is at a host that cannot be reached")
    expect(field).to_have_value(ADDRESS)
    expect(field).to_be_focused()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect_state(page, "photo")


def test_photo_by_url_is_restored_and_replaced(open_page: OpenPage, fetching_server: str, photo: Path) -> None:
    page = open_page(fetching_server)
    page.get_by_role("button", name="Photo by URL").click()
    dialog(page).get_by_label("Address of the picture").fill(ADDRESS)
    dialog(page).get_by_role("button", name="Use this photo").click()
    choose(page)
    with page.expect_response(re.compile("/v1/stylizations$")) as sent:
        press_paint(page)
    assert sent.value.json()["content"] == ADDRESS
    expect(dialog(page)).to_be_visible()

    page.reload()
    expect(dialog(page).get_by_label("Address of the picture")).to_have_value(ADDRESS)
    dialog(page).get_by_role("button", name="Cancel").click()
    choose_photo(page, photo)
    choose(page)
    press_paint(page)
    expect_state(page, "done")


def test_style_by_url_is_sent_and_restored(open_page: OpenPage, fetching_server: str, photo: Path) -> None:
    page = open_page(fetching_server, **PHONE)
    choose_photo(page, photo)
    choose(page)
    page.get_by_role("button", name="Style by URL").click()
    style_dialog = page.get_by_role("dialog", name="Style by URL")
    style_dialog.get_by_label("Address of the picture").fill("https://photos.invalid/quilt.jpg")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="quilt.jpg from photos.invalid")).to_be_checked()
    assert_accessible(page)
    with page.expect_response(re.compile("/v1/stylizations$")) as sent:
        press_paint(page)
    assert sent.value.json()["styles"][0]["style"] == "https://photos.invalid/quilt.jpg"

    alert = page.get_by_role("group", name="Style").get_by_role("alert")
    expect(alert).to_contain_text("The address of the style is at a host that cannot be reached")
    page.reload()
    expect(page.get_by_role("radio", name="quilt.jpg from photos.invalid")).to_be_checked()


def test_page_offers_no_url_where_none_is_allowed(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    choose_photo(page, photo)
    expect_state(page, "photo")
    expect(page.get_by_role("button", name="Photo by URL")).to_have_count(0)


def test_metadata_is_kept_if_chosen(open_page: OpenPage, served: Served, photo: Path, tmp_path: Path) -> None:
    with Image.open(photo) as image:
        image.save(tmp_path / "camera.jpg", exif=camera_exif())
    page = open_page()
    choose_photo(page, tmp_path / "camera.jpg")
    choose(page)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Keep metadata").select_option("exif")
    press_paint(page)
    expect_state(page, "done")

    job = served.job(page.url.rpartition("#")[2])
    assert job["options"]["keep_metadata"] == "exif"
    with Image.open(io.BytesIO(httpx.get(f"{served.address.rstrip('/')}{job['result']['url']}").content)) as painting:
        assert painting.getexif()[Base.Make] == "Example"
    page.reload()
    expect_state(page, "done")
    expect(page.locator("#keep-metadata")).to_have_value("exif")
