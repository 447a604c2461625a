"""Clips by the command line and the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from disk_clips import gif, read_frames

from stylizer_cli.main import run
from stylizer_client import Client


def test_clip_is_painted_by_the_api(
    client: Client,
    address: str,
    painting: Callable[[], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ball.gif").write_bytes(gif(3))
    with painting():
        code = run(["paint", "ball.gif", "-s", "woodcut", "--method", "feedforward", "--size", "64", "--api", address])

    out, err = capfd.readouterr()
    assert (code, out) == (0, "ball-woodcut.gif\n"), err
    assert "painted 3 frames of 64 x 43 pixels" in err
    assert len(read_frames(Path("ball-woodcut.gif").read_bytes())) == 3
    (job,) = client.jobs()
    assert (job.options["animate"], job.frames) == (True, 3)
