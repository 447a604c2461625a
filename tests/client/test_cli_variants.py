"""Several paintings of one photo by the command line, on this machine and by the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from pictures import pixels

from stylizer_client import Client, Conflict

SMALL = ("--size", "64", "--quality", "draft")
FAST = ("--size", "64", "--method", "color")
FILES = ["out-1.png", "out-2.png", "out-sheet.jpg"]
Painting = Callable[[], AbstractContextManager[None]]
Run = Callable[..., tuple[int, str, str]]


def test_variants_by_api_match_local_ones(run: Run, address: str, painting: Painting, folder: Path) -> None:
    request = ("paint", "cat.jpg", "--style", "woodcut", "--seed", "3", "--variants", "2", *SMALL)
    (folder / "there").mkdir()
    code, stdout, note = run(*request, "-o", "out.png")
    assert (code, stdout.split()) == (0, FILES), note
    assert note.startswith("painted 2 times 64 x 48 pixels in ")
    with painting():
        code, stdout, note = run(*request, "-o", "there/out.png", "--api", address)
    assert (code, stdout.split()) == (0, [f"there/{name}" for name in FILES]), note

    for name in FILES[:2]:
        assert np.abs(pixels(folder / name) - pixels(folder / "there" / name)).mean() < 0.5
    assert np.abs(pixels(folder / "out-1.png") - pixels(folder / "out-2.png")).mean() > 0.5
    assert not list(folder.rglob(".*")), "no resume file is left"
    assert run("paint", "cat.jpg", "--style", "woodcut", "--seed", "3", *SMALL, "-o", "one.png")[0] == 0
    assert (folder / "one.png").read_bytes() == (folder / "out-1.png").read_bytes()


def test_existing_variant_is_not_overwritten(run: Run, folder: Path) -> None:
    (folder / "out-2.png").write_text("mine")
    request = ("paint", "cat.jpg", "--style", "woodcut", "--variants", "2", *FAST, "-o", "out.png")

    code, _, stderr = run(*request)
    assert (code, "out-2.png' already exists" in stderr) == (2, True)
    assert not (folder / "out-1.png").exists()
    assert run(*request, "--force")[0] == 0


def test_batch_with_variants_skips_only_complete_ones(run: Run, folder: Path) -> None:
    request = ("paint", "cat.jpg", "--style", "woodcut", "--variants", "2", *FAST, "--to", "painted")
    assert run(*request)[0] == 0
    (folder / "painted/cat-woodcut-2.jpg").unlink()

    assert "painted 1" in run(*request)[2]
    assert "painted 0, skipped 1" in run(*request)[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--variants", "5", "-o", "out.png"), "variants is 5; it must be a whole number from 1 to 4"),
        (("--variants", "two", "-o", "out.png"), "variants is 'two'; it must be a whole number from 1 to 4"),
        (("--variants", "2", "-o", "-"), "stdout takes one painting"),
    ],
)
def test_invalid_variants_exit_with_code_2(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, _, stderr = run("paint", "cat.jpg", "--style", "woodcut", *SMALL, *arguments)

    assert code == 2
    assert words in stderr


def test_client_downloads_each_variant(client: Client, painting: Painting, folder: Path) -> None:
    job = client.stylize(folder / "cat.jpg", "woodcut", size=64, quality="draft", variants=2, seed=4)
    assert (job.variants, job.results) == (2, ())
    with pytest.raises(Conflict):
        client.download(job, folder / "early.jpg", variant=2)
    with painting():
        done = client.wait(job)

    assert [each.seed for each in done.results] == [4, 5]
    for number, known in ((1, done), (2, done), (2, job)):
        file = client.download(known, folder / f"{number}.jpg", variant=number)
        assert file.stat().st_size == done.results[number - 1].bytes
    assert (folder / "1.jpg").read_bytes() != (folder / "2.jpg").read_bytes()
