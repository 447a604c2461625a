from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from stylizer_service.local import Local, open_local
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
    """A small PNG with some structure."""
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((96, 64)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def submit(local: Local, photo: bytes) -> Callable[..., str]:
    """Ask for a small painting: submit(**other fields of the request). Gives the id of the job."""

    def submitted(**fields: object) -> str:
        content = local.service.add_upload("ann", io.BytesIO(photo), field="content")
        request = {"content": content, "style": content, "size": 64, "quality": "draft"} | fields
        return local.service.create_stylization("ann", StylizationRequest.model_validate(request))[0].id

    return submitted
