"""Metrics of painters."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from stylizer_painter.metrics import count
from stylizer_service.adapters.local import Local
from stylizer_service.jobs.leases import claim
from stylizer_service.ports import Unavailable
from stylizer_service.problems import problem
from stylizer_service.settings import Settings


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{key: value for key, value in line.items() if key != "_aws"} for line in lines]


def test_painting_is_counted_with_method_and_duration(
    local: Local, settings: Settings, submit: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = submit(method="texture")
    lease = claim(local.service.ports, settings, job_id)
    assert lease is not None
    lease.succeed(b"painting", preview=b"preview", width=64, height=43)
    count(local.service.ports, job_id, "succeeded")

    delivery, painting, queued = told(capsys)
    assert delivery == {"Deliveries": [1.0], "method": "texture", "outcome": "succeeded"}
    assert [painting.pop("PaintingSeconds") >= [0.0], queued.pop("QueuedSeconds") >= [0.0]] == [True, True]  # type: ignore[operator]
    assert painting == queued == {"method": "texture"}


def test_delivery_is_counted_while_the_store_is_unavailable(
    local: Local, submit: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("GetItem was refused")

    job_id = submit(method="texture")
    monkeypatch.setattr(type(local.service.ports.jobs), "get", refuse)
    count(local.service.ports, job_id, "succeeded")

    assert told(capsys) == [{"Deliveries": [1.0], "method": "unknown", "outcome": "succeeded"}]


def test_failure_is_counted_by_problem_code(
    local: Local, settings: Settings, submit: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = submit(method="texture")
    lease = claim(local.service.ports, settings, job_id)
    assert lease is not None
    lease.fail(problem("corrupt-image", "cut short"))
    count(local.service.ports, job_id, "failed")
    count(local.service.ports, job_id, "skipped")
    assert told(capsys) == [
        {"Deliveries": [1.0], "method": "texture", "outcome": "failed"},
        {"Failures": [1.0], "problem": "corrupt-image"},
        {"Deliveries": [1.0], "method": "texture", "outcome": "skipped"},
    ]
