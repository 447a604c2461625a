from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import Time
from pictures import encoded
from PIL import Image
from uploads import store_upload

import stylizer
import stylizer_painter.painting as painter
import stylizer_painter.reporting as reporting
from stylizer_painter.painting import Outcome
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.jobs.leases import Lease
from stylizer_service.models import StylizationRequest
from stylizer_service.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def local(settings: Settings) -> Iterator[Local]:
    with closing(open_local(settings)) as local:
        yield local


@pytest.fixture(scope="session")
def photo() -> bytes:
    """Return a small PNG with some structure."""
    return encoded(Image.radial_gradient("L").resize((96, 64)).convert("RGB"), "PNG")


@pytest.fixture
def submit(local: Local, photo: bytes) -> Callable[..., str]:
    """Return a function (**fields) that requests a small painting and returns the id of the job."""

    def submitted(**fields: object) -> str:
        content = store_upload(local.service, photo)
        request = {"content": content, "style": content, "size": 64, "quality": "draft"} | fields
        return local.service.create_stylization("ann", StylizationRequest.model_validate(request))[0].id

    return submitted


@pytest.fixture
def paint(local: Local) -> Callable[..., Outcome]:
    """Return a function (id, **arguments of `paint_job`) that paints a job and returns the outcome."""
    return partial(painter.paint_job, local.service.ports, local.service.settings)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Return a function that replaces `stylize` of the core."""
    return partial(monkeypatch.setattr, stylizer, "stylize")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Fake the clock of painters, and record the progress reports of jobs."""
    time, told = Time(), Lease.report

    def report(lease: Lease, progress: float, preview: bytes | None = None) -> None:
        time.reports.append(time.now)
        told(lease, progress, preview)

    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=time.monotonic))
    monkeypatch.setattr(Lease, "report", report)
    return time
