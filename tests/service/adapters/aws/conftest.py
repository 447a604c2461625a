"""The service at the end of a line that can go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud.fault_proxy import Line, fault_proxy

from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.ports import Clock
from stylizer_service.usecases import Service


@pytest.fixture
def line(aws_environment: dict[str, str]) -> Iterator[Line]:
    with fault_proxy(aws_environment["AWS_ENDPOINT_URL"]) as line:
        yield line


@pytest.fixture
def service(
    line: Line,
    aws_environment: dict[str, str],
    aws_settings: ApiSettings,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Service:
    """With clients of its own: what they learn from being refused stays with them."""
    for name, value in {**aws_environment, "AWS_ENDPOINT_URL": line.address}.items():
        monkeypatch.setenv(name, value)
    return open_aws(aws_settings, clock)
