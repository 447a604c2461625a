from __future__ import annotations

from pathlib import Path

import pytest

from stylizer.output import write_atomically


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.jpg", "taken"]


def test_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".jpg")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_file_behind_a_symbolic_link_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real.jpg", tmp_path / "link.jpg"
    real.write_bytes(b"old")
    link.symlink_to("folder/real.jpg")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert [entry.name for entry in real.parent.iterdir()] == ["real.jpg"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_replaced_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.stat().st_mode & 0o777 == mode


def test_error_names_the_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.jpg"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert ".part" not in str(caught.value)
