"""What every store of files promises."""

from __future__ import annotations

import io
import os

import pytest
from adapters import on_both

from stylizer_service.ports import Blobs
from stylizer_service.usecases import Service

pytestmark = on_both


@pytest.fixture
def blobs(service: Service) -> Blobs:
    return service.ports.blobs


def test_a_file_comes_back_as_it_was_whatever_part_is_read_first(blobs: Blobs) -> None:
    data = os.urandom(3_000_000)
    assert blobs.put("jobs/a/content", io.BytesIO(data), "image/png") == blobs.size("jobs/a/content") == len(data)

    with blobs.open("jobs/a/content") as file:
        assert file.seek(0, os.SEEK_END) == len(data)
        assert file.read() == b""
        for start, length in ((0, 10), (2_900_000, 200_000), (5, 300_000), (250_000, 20_000), (1_000_000, 1)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
        file.seek(-7, os.SEEK_END)
        assert file.read() == data[-7:]
        file.seek(0)
        assert file.read() == data


def test_an_empty_file_is_a_file(blobs: Blobs) -> None:
    blobs.put("jobs/a/content", b"", "image/png")

    assert blobs.size("jobs/a/content") == 0
    with blobs.open("jobs/a/content") as file:
        assert (file.seek(0, os.SEEK_END), file.read()) == (0, b"")


def test_copy_survives_replacing_or_deleting_the_source(blobs: Blobs) -> None:
    blobs.put("uploads/a/file", b"one", "image/png")
    blobs.copy("uploads/a/file", "jobs/b/content")
    blobs.put("uploads/a/file", b"other", "image/png")

    with blobs.open("jobs/b/content") as file:
        assert file.read() == b"one"
    blobs.delete_folder("uploads/a/")
    assert (blobs.size("uploads/a/file"), blobs.size("jobs/b/content")) == (None, 3)


def test_a_folder_goes_with_all_that_is_in_it_and_nothing_else(blobs: Blobs) -> None:
    for key in ("jobs/a/content", "jobs/a/x/result.jpg", "jobs/ab/content"):
        blobs.put(key, b"data", "image/png")

    for _ in range(2):
        blobs.delete_folder("jobs/a/")

    assert [blobs.size(key) for key in ("jobs/a/content", "jobs/a/x/result.jpg", "jobs/ab/content")] == [None, None, 4]


def test_a_file_that_is_not_there_is_told_by_one_error(blobs: Blobs) -> None:
    assert blobs.size("jobs/a/content") is None
    for call in (lambda: blobs.open("jobs/a/content"), lambda: blobs.copy("uploads/a/file", "jobs/a/content")):
        with pytest.raises(FileNotFoundError):
            call()
