"""Exit codes and messages when standard streams are closed or unwritable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pictures import disk_photo

STYLIZER = f"{sys.executable} -m stylizer_cli"
PAINT = f"{STYLIZER} paint cat.jpg -s woodcut --method color --size 64"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "cat.jpg").write_bytes(disk_photo())
    return subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, check=False)


@pytest.mark.parametrize("stream", ["1>&-", "1>/dev/full"])
def test_unwritable_stdout_is_one_line_and_exit_code_1(stream: str, tmp_path: Path) -> None:
    done = shell(f"{STYLIZER} styles {stream}", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"stylizer: error: the output: ")
    assert done.stderr.count(b"\n") == 1


def test_paint_to_closed_stdout_exits_with_code_1(tmp_path: Path) -> None:
    done = shell(f"{PAINT} -o - 1>&-", tmp_path)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_paint_from_closed_stdin_exits_with_code_1(tmp_path: Path) -> None:
    done = shell(f"{STYLIZER} paint - -s woodcut --size 64 -o a.jpg <&-", tmp_path)
    assert done.returncode == 1
    assert b"the photo cannot be read" in done.stderr


def test_unwritable_stderr_changes_no_exit_code(tmp_path: Path) -> None:
    assert shell(f"{PAINT} -o a.jpg 2>/dev/full", tmp_path).returncode == 0
    assert (tmp_path / "a.jpg").stat().st_size > 0
    assert shell(f"{STYLIZER} paint missing.jpg -s woodcut 2>&-", tmp_path).returncode == 1


def test_all_streams_closed_writes_painting_and_exits_with_1(tmp_path: Path) -> None:
    assert shell(f"{PAINT} -o a.jpg <&- >&- 2>&-", tmp_path).returncode == 1
    assert (tmp_path / "a.jpg").stat().st_size > 0
