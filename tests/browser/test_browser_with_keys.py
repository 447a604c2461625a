"""The page of a `stylizer-server` with keys and default rate limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

from browser.steps import OpenPage, choose, choose_photo, expect_state, press_paint, style
from playwright.sync_api import expect

from stylizer_service.adapters.local import open_local
from stylizer_service.settings import Settings


def test_page_paints_with_a_key(
    open_page: OpenPage, serve_data: Callable[..., AbstractContextManager[str]], photo: Path, tmp_path: Path
) -> None:
    with closing(open_local(Settings(data_dir=tmp_path / "data"))) as local:
        key = local.keys.add("ann")
    statuses: list[int] = []
    with serve_data("--require-keys") as address:
        page = open_page(f"{address}/")
        page.on("response", lambda response: statuses.append(response.status))
        dialog = page.get_by_role("dialog", name="API key required")
        dialog.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Continue").click()
        style(page, "woodcut").check()
        choose_photo(page, photo)
        choose(page)
        press_paint(page)
        expect_state(page, "done")
        expect(page.locator("#history-list img")).to_have_attribute("src", re.compile("^blob:"))
        page.reload()
        expect_state(page, "done")
    assert {status for status in statuses if status >= 400} <= {403}  # before the key was entered; no 429
