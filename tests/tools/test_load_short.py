"""The run of `make load` with small numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.load.clients import Plan
from tools.load.processes import serving
from tools.load.protections import half_open, oversized, queue_limit
from tools.load.stages import draw_photo, run


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photo(tmp_path_factory.mktemp("photo") / "photo.jpg")


def test_every_client_is_served_and_no_job_lost_under_load(tmp_path: Path, photo: Path) -> None:
    result = run(tmp_path, photo, clients=[4], seconds=1.0, backlog=4)

    assert list(result.broken()) == []
    assert {stage.name for stage in result.stages} == {"baseline", "polls", "mix, painter idle", "mix, painter busy"}
    kinds = {kind for stage in result.stages for kind in stage.report.took}
    assert {"poll", "list", "page", "image", "upload file", "create by json", "create by form"} <= kinds
    assert len(result.accepted) >= 4


def test_clients_refused_by_a_full_queue_are_painted_on_retry(tmp_path: Path, photo: Path) -> None:
    seen = queue_limit(tmp_path, photo, limit=2, jobs=4)

    assert seen.broken == []


def test_slow_and_endless_senders_are_cut_off_others_served(tmp_path: Path) -> None:
    with serving(tmp_path / "data", head_timeout="1", max_bytes="100000") as server:
        plan = Plan(address=server.address, clients=2, seconds=1, mix={"health": 1})
        seen = [half_open(server, plan, count=30), *oversized(server)]

    assert [broken for protection in seen for broken in protection.broken] == []
    assert len(seen) == 8
