"""The page of a deployed stage: below the stage's prefix, behind a key, with files in S3."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser.steps import OpenPage, choose, choose_photo, expect_state, press_paint, style
from cloud.event_source import QueueSource, Running
from cloud.moto_server import serving_moto
from cloud.stage import build
from PIL import Image
from playwright.sync_api import expect

FUNCTIONS = ("stylizer_api.lambda_handler", "stylizer_painter.lambda_handler")
KEYS = {"key-of-ann": "ann-id"}


@pytest.fixture
def stage_address(monkeypatch: pytest.MonkeyPatch, serve_gateway: Callable[..., str]) -> Iterator[str]:
    """URL of the page of an AWS stage with a running painter."""
    with serving_moto() as moto:
        stage = build(moto)
        for name, value in stage.environment.items():
            monkeypatch.setenv(name, value)
        _forget_functions()
        api, painter = (importlib.import_module(name).handler for name in FUNCTIONS)
        with Running(QueueSource(stage.sqs, stage.paint_queue, painter)):
            yield f"{serve_gateway(api, keys=KEYS)}/"
        _forget_functions()


def _forget_functions() -> None:
    """Unload the handlers, which keep their clients open at module level."""
    for name in FUNCTIONS:
        sys.modules.pop(name, None)


def test_page_paints_on_aws_stage_with_key_and_s3(
    open_page: OpenPage, stage_address: str, photo: Path, tmp_path: Path
) -> None:
    page = open_page(stage_address)
    dialog = page.get_by_role("dialog", name="API key required")
    dialog.get_by_label("API key").fill("wrong-key")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_role("alert")).to_have_text("This key is not valid.")
    dialog.get_by_label("API key").fill("key-of-ann")
    dialog.get_by_role("button", name="Continue").click()

    style(page, "woodcut").check()
    choose_photo(page, photo)
    choose(page)
    press_paint(page)
    expect_state(page, "done")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    downloading.value.save_as(tmp_path / "painting.jpg")
    with Image.open(tmp_path / "painting.jpg") as painting:
        assert painting.size == (512, 384)
    page.reload()  # with the stored key
    expect_state(page, "done")
    thumbnail = page.locator("#history-list img")
    expect(thumbnail).to_have_attribute("src", re.compile("^blob:"))
    thumbnail.scroll_into_view_if_needed()
    assert thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
