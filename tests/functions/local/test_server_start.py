from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path


def start(data_dir: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `stylizer-server` where it cannot start."""
    command = [sys.executable, "-c", "from functions.local.server import main; main()"]
    return subprocess.run(
        [*command, "--data-dir", str(data_dir), "--port", "0", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("stylizer-server: ")
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(start(tmp_path, "--port", port), f"127.0.0.1:{port}", "in use")


def test_a_data_folder_in_use_by_another_server_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_one_line(start(tmp_path), "another stylizer-server", str(tmp_path))


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path) -> None:
    assert_one_line(start(tmp_path, STYLIZER_MAX_BYTES="many"), "STYLIZER_MAX_BYTES", "many")


def test_a_data_folder_that_cannot_be_made_or_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_one_line(start(tmp_path / "file" / "data"), str(tmp_path / "file" / "data"))
    (tmp_path / "stylizer.db").write_text("not a database, " * 99)
    assert_one_line(start(tmp_path), "database")
