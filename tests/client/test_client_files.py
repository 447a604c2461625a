from __future__ import annotations

from pathlib import Path

import pytest

from stylizer_client.files import draft


def test_draft_of_the_longest_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".jpg")
    with draft(path) as file:
        file.write(b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_draft_through_a_symbolic_link_keeps_link_and_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jpg", tmp_path / "link.jpg"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to("real.jpg")
    with draft(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"new", 0o640)


def test_draft_that_cannot_be_written_names_its_target(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.jpg"
    with pytest.raises(FileNotFoundError) as caught, draft(path) as file:
        file.write(b"new")
    assert caught.value.filename == str(path)
