"""Metrics of the reconciler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pictures import slope
from uploads import store_upload

from stylizer_reconciler.metrics import count_reconciled, count_webhook
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.jobs import reconcile
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import problem
from stylizer_service.settings import Settings


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with closing(open_local(Settings(data_dir=tmp_path / "data", lease_seconds=1e-9, max_attempts=1))) as local:
        yield local


@pytest.fixture
def submit(local: Local) -> Callable[[], str]:
    def submitted() -> str:
        content = store_upload(local.service, slope())
        request = StylizationRequest.model_validate({"content": content, "style": content, "size": 64})
        return local.service.create_stylization("ann", request)[0].id

    return submitted


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return the metrics since the last call: name, values and dimensions of each."""

    def read() -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [{key: value for key, value in entry.items() if key != "_aws"} for entry in entries]

    return read


def test_exhausted_jobs_count_as_reconciled_and_failed(
    local: Local, submit: Callable[[], str], counted: Callable[[], list[dict[str, Any]]]
) -> None:
    ports, settings = local.service.ports, local.service.settings
    began = ports.clock.now()
    assert claim(ports, settings, submit())
    count_reconciled(ports, reconcile.reconcile_jobs(ports, settings), began)
    assert counted() == [{"Reconciled": [1.0], "service": "reconciler"}, {"Failures": [1.0], "problem": "painter-died"}]


def test_failure_is_counted_once_by_its_first_reporter(
    local: Local, submit: Callable[[], str], counted: Callable[[], list[dict[str, Any]]]
) -> None:
    ports, settings, job_id = local.service.ports, local.service.settings, submit()
    reconcile.fail(ports, settings, job_id, problem("painting-failed", "counted where it was seen"))
    count_reconciled(ports, [job_id], ports.clock.now())
    assert counted() == [{"Reconciled": [1.0], "service": "reconciler"}]


def test_zero_reconciled_jobs_are_counted(local: Local, counted: Callable[[], list[dict[str, Any]]]) -> None:
    count_reconciled(local.service.ports, [], local.service.ports.clock.now())
    assert counted() == [{"Reconciled": [0.0], "service": "reconciler"}]


def test_webhooks_are_counted_by_outcome_unless_skipped(counted: Callable[[], list[dict[str, Any]]]) -> None:
    for outcome in ("delivered", "retrying", "abandoned", "skipped"):
        count_webhook(outcome)
    assert [entry["outcome"] for entry in counted()] == ["delivered", "retrying", "abandoned"]
