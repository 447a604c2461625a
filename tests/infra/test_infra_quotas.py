"""What an account is not allowed is found before CloudFormation meets it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.quotas import UnknownQuotas, find_shortages
from infra.settings import read_context, stage_settings

from .accounts import GENEROUS, Quotas, an_account

NEW_ACCOUNT: Quotas = {"L-B99A9384": 10}
ENDPOINT = "ml.g5.xlarge for endpoint usage"


def shortages(
    monkeypatch: pytest.MonkeyPatch, stage: dict[str, Any], quotas: Quotas, defaults: Quotas | None = None
) -> list[str]:
    with an_account(monkeypatch, quotas, defaults) as environment:
        return find_shortages(stage_settings({"mine": stage}, "mine"), environment)


def test_new_account_lacks_quotas_for_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shortages(monkeypatch, read_context()["stages"]["prod"], NEW_ACCOUNT)
    assert [text.split(" is ")[0] for text in found] == ["painter_concurrency", "painter_memory"]
    assert "painter_memory is 8192; this account has a concurrency of 10" in found[1]
    assert "allowed: at most 3008" in found[1]


@pytest.mark.parametrize("quotas", [NEW_ACCOUNT, GENEROUS])
def test_new_account_has_quotas_for_dev(monkeypatch: pytest.MonkeyPatch, quotas: Quotas) -> None:
    assert shortages(monkeypatch, read_context()["stages"]["dev"], quotas) == []


def test_established_account_has_quotas_for_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shortages(monkeypatch, read_context()["stages"]["prod"], GENEROUS) == []


@pytest.mark.parametrize(
    ("reserved", "quotas", "allowed"),
    [
        (1, NEW_ACCOUNT, "api_concurrency removed"),
        (901, GENEROUS, "at most 900"),
        (900, GENEROUS, None),
    ],
)
def test_reservation_leaves_a_hundred_for_others(
    monkeypatch: pytest.MonkeyPatch, reserved: int, quotas: Quotas, allowed: str | None
) -> None:
    found = shortages(monkeypatch, {"api_concurrency": reserved, "painter_concurrency": 2}, quotas)
    assert len(found) == (allowed is not None)
    assert all(f"allowed: {allowed}" in text for text in found)


@pytest.mark.parametrize(
    ("applied", "default", "is_short"),
    [({ENDPOINT: 2}, 0, False), ({ENDPOINT: 0}, 4, True), ({}, 0, True), ({}, 2, False)],
)
def test_gpu_instances_need_their_own_quota(
    monkeypatch: pytest.MonkeyPatch, applied: Quotas, default: float, is_short: bool
) -> None:
    stage = {"gpu": True, "gpu_max_instances": 2}
    found = shortages(monkeypatch, stage, {**GENEROUS, **applied}, {ENDPOINT: default})
    assert bool(found) is is_short
    assert all("gpu_max_instances is 2; the quota 'ml.g5.xlarge for endpoint usage'" in text for text in found)


def test_gpu_type_without_a_quota_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = {"gpu": True, "gpu_instance_type": "ml.g9.tiny"}
    (found,) = shortages(monkeypatch, stage, GENEROUS, {ENDPOINT: 1})
    assert found.startswith("gpu_instance_type is ml.g9.tiny; SageMaker has no quota")


def test_denied_quota_request_is_not_a_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownQuotas, match="AccessDenied"):
        shortages(monkeypatch, {}, {})
