"""The service at the end of a line that can go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from cloud.fault_proxy import Line, fault_proxy

from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.ports import Clock
from stylizer_service.usecases import Service


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture(scope="module")
def shared_line(aws_environment: dict[str, str]) -> Iterator[Line]:
    with fault_proxy(aws_environment["AWS_ENDPOINT_URL"]) as line:
        yield line


@pytest.fixture
def line(shared_line: Line) -> Line:
    shared_line.reset()
    return shared_line


@pytest.fixture(scope="module")
def line_clients(shared_line: Line, aws_environment: dict[str, str]) -> Clients:
    """Those of a module: to make some costs as much as a test. Refusals use up what they may retry, 500 in all."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**aws_environment, "AWS_ENDPOINT_URL": shared_line.address}.items():
            patch.setenv(name, value)
        clients = Clients()
        for client in (clients.s3, clients.dynamodb, clients.sqs, clients.secrets, clients.sagemaker):  # now
            assert client.meta.endpoint_url == shared_line.address
    return clients


@pytest.fixture
def service(line: Line, line_clients: Clients, aws_settings: ApiSettings, clock: Clock) -> Service:  # noqa: ARG001
    return open_aws(aws_settings, clock, line_clients)
