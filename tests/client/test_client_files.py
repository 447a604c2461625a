from __future__ import annotations

from pathlib import Path

import pytest

from stylizer_client.files import open_atomic


def test_open_atomic_writes_a_file_with_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".jpg")
    with open_atomic(path) as file:
        file.write(b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_open_atomic_keeps_symbolic_link_and_file_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jpg", tmp_path / "link.jpg"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to("real.jpg")
    with open_atomic(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"new", 0o640)


def test_open_atomic_error_names_the_target(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.jpg"
    with pytest.raises(FileNotFoundError) as caught, open_atomic(path) as file:
        file.write(b"new")
    assert caught.value.filename == str(path)
