"""Clips by the command line and the API."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from disk_clips import gif, read_frames, video
from waiting import PATIENCE, wait_for

from stylizer_cli.main import run
from stylizer_client import Client

FAST = ("--style", "woodcut", "--method", "color", "--size", "64")


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
        code = run(["paint", "ball.gif", *FAST, "--api", address])

    out, err = capfd.readouterr()
    assert (code, out) == (0, "ball-woodcut.gif\n"), err
    assert "painted 3 frames of 64 x 43 pixels" in err
    assert len(read_frames(Path("ball-woodcut.gif").read_bytes())) == 3
    (job,) = client.jobs()
    assert (job.options["animate"], job.frames) == (True, 3)


def test_interrupted_clips_and_photos_resume_by_the_api(
    client: Client,
    address: str,
    painting: Callable[[], AbstractContextManager[None]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    Path("ball.mp4").write_bytes(video(2))
    Path("ball.gif").write_bytes(gif(3))
    arguments = ["paint", "ball.mp4", "cat.jpg", "ball.gif", *FAST, "--to", "out", "--api", address]
    process = subprocess.Popen([sys.executable, "-m", "stylizer_cli", *arguments], stderr=subprocess.PIPE)
    wait_for(lambda: len(client.jobs()) == 3, "three jobs", process=process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, b"stylizer: error: interrupted; repeat the command to resume\n")
    created = {job.id for job in client.jobs()}

    with painting():
        assert run(arguments) == 0
    assert {job.id for job in client.jobs()} == created, "no job is created twice"
    paths = sorted(Path("out").iterdir())
    assert [path.name for path in paths] == ["ball-woodcut.gif", "ball-woodcut.mp4", "cat-woodcut.jpg"]
    assert [len(read_frames(path.read_bytes())) for path in paths] == [3, 2, 1]
