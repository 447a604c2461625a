"""Restarts of the painter process."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylizer_server.supervisor import Supervisor


@pytest.mark.parametrize(
    ("lifetime", "backoffs"),
    [(1.0, ["0.5", "1", "2", "4", "8", "16", "30", "30"]), (15.0, ["0.5"] * 8)],
    ids=["early exit", "exit after painting"],
)
def test_supervisor_backs_off_only_after_early_exits(
    lifetime: float,
    backoffs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = Supervisor(tmp_path)
    stopping = supervisor._stopping
    clock: Iterator[float] = itertools.count(0.0, lifetime)  # read before and after each run
    runs = itertools.count(1)

    def run_once() -> str:
        if next(runs) > len(backoffs):
            stopping.set()
        return "the painter exited with code -9"

    monkeypatch.setattr("stylizer_server.supervisor.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(supervisor, "_run_once", run_once)
    monkeypatch.setattr(stopping, "wait", lambda _: None)
    with caplog.at_level(logging.WARNING):
        supervisor._keep_running()

    assert re.findall(r"restarting in (\S+) s", caplog.text) == backoffs
