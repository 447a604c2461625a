"""How long jobs wait for a painter that has died."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylizer_server.supervisor import Supervisor


@pytest.mark.parametrize(
    ("lived", "pauses"),
    [(1.0, ["0.5", "1", "2", "4", "8", "16", "30", "30"]), (15.0, ["0.5"] * 8)],
    ids=["that dies at its start", "that was at work"],
)
def test_a_painter_is_started_again_at_once_unless_it_dies_at_its_start(
    lived: float, pauses: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(tmp_path)
    stopping = supervisor._stopping
    clock: Iterator[float] = itertools.count(0.0, lived)  # looked at before and after each life
    lives = itertools.count(1)

    def live_and_die() -> str:
        if next(lives) > len(pauses):
            stopping.set()
        return "the painter ended with code -9"

    monkeypatch.setattr("stylizer_server.supervisor.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(supervisor, "_run_once", live_and_die)
    monkeypatch.setattr(stopping, "wait", lambda _: None)
    with caplog.at_level(logging.WARNING):
        supervisor._keep_running()

    assert re.findall(r"again in (\S+) s", caplog.text) == pauses
