from __future__ import annotations

import os
import pty
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from stylizer.errors import OptionError
from stylizer.options import Format
from stylizer_cli.targets import choose_quality, choose_target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("photo", "styles", "wanted", "name"),
    [
        ("cat.jpg", ["woodcut"], None, "cat-woodcut.jpg"),
        ("album/cat.PNG", ["woodcut"], None, "cat-woodcut.PNG"),
        ("cat.heic", ["woodcut"], None, "cat-woodcut.jpg"),
        ("cat", ["woodcut", "paintings/my waves.png"], None, "cat-woodcut-my waves.jpg"),
        ("cat.jpg", ["woodcut"], "webp", "cat-woodcut.webp"),
    ],
)
def test_choose_target_default_name_is_photo_and_styles(
    photo: str, styles: list[str], wanted: Format | None, name: str
) -> None:
    assert choose_target(photo, styles, None, wanted, force=False).path == Path(name)


def test_choose_target_in_folder_uses_the_default_name(folder: Path) -> None:
    target = choose_target("cat.jpg", ["woodcut"], str(folder), None, force=False)
    assert target == (folder / "cat-woodcut.jpg", "jpeg")


def test_choose_target_format_is_suffix_or_else_option() -> None:
    for name, form in (("a.JPG", "jpeg"), ("a.tif", "tiff"), ("a.avif", "avif")):
        assert choose_target("cat.jpg", ["woodcut"], name, None, force=False).format == form
    assert choose_target("cat.jpg", ["woodcut"], "a", "png", force=False) == (Path("a"), "png")


@pytest.mark.parametrize(
    ("output", "wanted", "words"),
    [
        ("a.bmp", None, "its suffix must be one of .jpg, .jpeg, .png, .webp, .avif, .tif, .tiff"),
        ("a", None, "its suffix must be one of"),
        ("a.png", "jpeg", "format is jpeg, but the suffix of 'a.png' says png"),
        ("there.jpg", None, "output 'there.jpg' already exists; --force replaces it"),
        ("no/a.jpg", None, "output 'no/a.jpg' is in a folder that does not exist"),
        ("full", None, "output 'full/cat-woodcut.jpg' is not a file"),
        ("locked/a.jpg", None, "output 'locked/a.jpg' is in a folder without write permission"),
    ],
)
def test_choose_target_invalid_output_is_refused(
    folder: Path, output: str, wanted: Format | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "there.jpg").write_bytes(b"mine")
    (folder / "full" / "cat-woodcut.jpg").mkdir(parents=True)
    (folder / "locked").mkdir()
    # Root may write anywhere, so the permission check is faked.
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == Path("locked") and mode == os.W_OK))
    with pytest.raises(OptionError, match=words):
        choose_target("cat.jpg", ["woodcut"], output, wanted, force=False)
    assert (folder / "there.jpg").read_bytes() == b"mine"


def test_choose_target_for_stdin_requires_an_output() -> None:
    with pytest.raises(OptionError, match="the photo from stdin has no name: give one with -o FILE"):
        choose_target("-", ["woodcut"], None, None, force=False)
    assert choose_target("-", ["woodcut"], "-", "webp", force=False) == (None, "webp")


def test_choose_target_refuses_a_terminal() -> None:
    screen, terminal = pty.openpty()
    refused = pytest.raises(OptionError, match="stdout is a terminal; redirect it to a file")
    with os.fdopen(terminal, "w") as stdout, redirect_stdout(stdout), refused as caught:
        choose_target("cat.jpg", ["woodcut"], "-", None, force=False)
    os.close(screen)
    assert caught.value.field == "output"


def test_choose_quality_is_refused_for_lossless_formats() -> None:
    assert choose_quality(None, "png") == 90
    assert choose_quality(7, "avif") == 7
    with pytest.raises(OptionError, match="png has none; it goes with jpeg, webp, avif"):
        choose_quality(90, "png")
