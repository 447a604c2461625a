"""A real Chromium and a real `stylizer-server` with its painter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser.steps import DESKTOP, Ask, OpenPage, Served
from pictures import slope
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from waiting import PATIENCE, wait_for

from tools import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all in one worker: they share a server, and two browsers would compete for the CPU."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        _serving(tmp_path_factory.mktemp("served")) as address,
        httpx.Client(base_url=address, timeout=PATIENCE) as api,
    ):
        yield Served(f"{address}/", api)


@pytest.fixture
def serve_data(tmp_path: Path) -> Callable[..., AbstractContextManager[str]]:
    """Run another server on `tmp_path / "data"`: `with serve_data(*options) as address`."""
    return lambda *options: _serving(tmp_path, *options)


@contextmanager
def _serving(folder: Path, *options: str) -> Iterator[str]:
    log = folder / "log"
    command = [sys.executable, "-c", "from stylizer_server.server import main; main()"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", "0", "--data-dir", str(folder / "data"), *options],
            stdout=output,
            stderr=output,
        )
    try:
        yield _address_in(log, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    found = wait_for(
        lambda: re.search(r"Page +(http://\S+)/", log.read_text()), "the address", process=process, log=log.read_text
    )
    return found[1]


@pytest.fixture(autouse=True)
def cancel_leftover_jobs(served: Served) -> Iterator[None]:
    """Cancel unfinished jobs after each test, so that the next one has the painter to itself."""
    yield
    for status in ("queued", "running"):
        for job in served.api.get("/v1/stylizations", params={"status": status, "limit": 100}).json()["items"]:
            served.api.post(f"/v1/stylizations/{job['id']}/cancel")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, per test file: while it runs, this process can run no other event loop."""
    path = chromium.find()
    if path is None:
        missing = pytest.fail if chromium.is_required() else pytest.skip
        missing(f"no Chromium found: `make chromium` installs one, or {chromium.ADVICE}")
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[OpenPage]:
    """Open the page in a new browser context: `open_page(**context_options)`.

    Afterwards no page may have logged an error, or requested anything from another host.
    """
    failures: list[str] = []
    asked: set[str] = set()
    contexts: list[BrowserContext] = []

    def open_page(address: str = served.address, **options: Any) -> Page:
        context = browser.new_context(**{**DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        context.on("weberror", lambda error: failures.append(str(error.error)))
        context.on("console", lambda message: failures.append(message.text) if "Policy" in message.text else None)
        context.on("request", lambda request: asked.add(request.url))
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not failures
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1", "http://localhost", "blob:"))]


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a disk before a gradient, 320 x 240."""
    image = Image.linear_gradient("L").resize((320, 240)).convert("RGB")
    ImageDraw.Draw(image).ellipse((80, 40, 230, 200), fill=(200, 90, 40))
    path = tmp_path_factory.mktemp("photos") / "my_holiday-photo.jpg"
    image.save(path)
    return path


@pytest.fixture
def ask(served: Served) -> Ask:
    """Create a job by the API: `ask(style, **fields)` returns its id."""

    def ask(style: str = "woodcut", **fields: Any) -> str:
        answer = served.api.post(
            "/v1/stylizations",
            files={"content": ("photo.jpg", slope(96, 72, "JPEG"))},
            data={"style": style, "size": "64", "quality": "draft", **fields},
        )
        return str(answer.raise_for_status().json()["id"])

    return ask
