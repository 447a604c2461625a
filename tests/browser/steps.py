"""User actions and expectations for tests of the page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, ViewportSize, expect
from waiting import wait_for

PHONE: dict[str, Any] = {"viewport": ViewportSize(width=360, height=740), "is_mobile": True, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": ViewportSize(width=1440, height=900)}

OpenPage = Callable[..., Page]
Ask = Callable[..., str]


@dataclass(frozen=True)
class Served:
    """The running server.

    Attributes:
        address: URL of the page.
        api: HTTP client of the API.
    """

    address: str
    api: httpx.Client

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.api.get(f"/v1/stylizations/{job_id}").raise_for_status().json())

    def wait_until_ended(self, job_id: str) -> None:
        wait_for(lambda: self.job(job_id)["status"] not in ("queued", "running"), f"the end of {job_id}")

    def styles(self) -> list[dict[str, Any]]:
        return list(self.api.get("/v1/styles?limit=100").raise_for_status().json()["items"])


def style(page: Page, style_id: str) -> Locator:
    """The radio button of a built-in style."""
    return page.locator(f"input[name=style][value={style_id}]")


def choose_photo(page: Page, photo: Path) -> None:
    page.get_by_label("Choose a photo").set_input_files(photo)


def drop_photo(page: Page, photo: Path) -> None:
    make_transfer = """([name, data]) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
      return transfer;
    }"""
    transfer = page.evaluate_handle(make_transfer, [photo.name, base64.b64encode(photo.read_bytes()).decode()])
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#wall", event, {"dataTransfer": transfer})


def choose(page: Page, *, method: str = "Feed-forward", quality: str = "Draft", size: str = "512") -> None:
    page.get_by_role("radio", name=method).check()
    page.get_by_role("radio", name=quality).check()
    page.locator("#size").select_option(size)


def press_paint(page: Page) -> None:
    page.get_by_role("button", name="Paint", exact=True).click()


def press_stop(page: Page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()


def start_long_job(page: Page, photo: Path) -> None:
    """Start a job that runs long enough to be observed."""
    choose_photo(page, photo)
    choose(page, method="Texture", quality="High", size="1024")
    press_paint(page)
    expect(page.locator("#caption")).to_contain_text("Painting … ")


def paint(page: Page, photo: Path) -> str:
    """Paint something small, and return the job id from the URL."""
    choose_photo(page, photo)
    choose(page)
    press_paint(page)
    expect_state(page, "done")
    return page.url.rpartition("#")[2]


def expect_state(page: Page, state: str) -> None:
    """Expect "empty", "photo", "painting" or "done"."""
    expect(page.get_by_role("region", name="Your picture")).to_have_attribute("data-state", state)
