from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from camera_exif import camera_exif
from PIL import Image

from stylizer.images import decode
from stylizer.options import DEFAULT_METHOD, Options
from stylizer.styles import catalog
from stylizer_cli import main as cli

SMALL = ("--size", "64", "--quality", "draft")
ONE_VARIANT = ("--style", "woodcut", "--method", "feedforward", "--strength", "1", *SMALL)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder: a photo of 96 x 64 pixels, a mask of its left half, and files that are not photos."""
    monkeypatch.chdir(tmp_path)
    photo = Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60).convert("RGB")
    photo.save("cat.png")
    half = np.zeros((64, 96), np.uint8)
    half[:, :48] = 255
    Image.fromarray(half).save("left.png")
    Path("text.jpg").write_text("I am no photo")
    Path("empty.jpg").touch()
    Path("short.png").write_bytes(Path("cat.png").read_bytes()[:300])
    return tmp_path


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - sets the working folder
    """Run the command line in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(list(arguments))
        return (code, *capfd.readouterr())

    return call


def process(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "stylizer_cli", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def test_paint_prints_path_and_seconds(folder: Path) -> None:
    before = set(folder.iterdir())
    done = process("paint", "cat.png", "--style", "woodcut", *SMALL, "-o", "painted.jpg")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"painted.jpg\n"
    assert re.fullmatch(rb"painted 64 x 43 pixels in [0-9.]+ s \(compact features\)\n", done.stderr), "no progress bar"
    assert set(folder.iterdir()) - before == {folder / "painted.jpg"}
    assert decode(folder / "painted.jpg").rgb.shape == (43, 64, 3)


def test_paint_prints_undecodable_file_names_as_raw_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # the default in most locales
    (folder / "cat.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    done = process("paint", os.fsdecode(b"caf\xe9.png"), "--style", "woodcut", *SMALL)
    assert (done.returncode, done.stdout) == (0, b"caf\xe9-woodcut.png\n"), done.stderr


def test_paint_from_stdin_writes_to_stdout(folder: Path) -> None:
    photo = (folder / "cat.png").read_bytes()
    arguments = ("paint", "-", "-s", "mosaic", *SMALL, "-o", "-", "--format", "webp", "--quiet")
    done = process(*arguments, given=photo)
    assert (done.returncode, done.stderr) == (0, b"")
    assert decode(done.stdout).format == "webp"


def test_paint_to_stdout_prints_no_path(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    before = set(folder.iterdir())
    assert cli.run(["paint", "cat.png", "--style", "woodcut", "--method", "color", *SMALL, "-o", "-"]) == 0
    painting, notes = capfdbinary.readouterr()
    assert (decode(painting).format, decode(painting).rgb.shape) == ("jpeg", (43, 64, 3))
    assert re.fullmatch(rb"painted 64 x 43 pixels in [0-9.]+ s\n", notes)
    assert set(folder.iterdir()) == before


def test_interrupted_paint_shows_progress_and_leaves_no_file(folder: Path) -> None:
    before = set(folder.iterdir())
    screen, stderr = pty.openpty()
    arguments = ["paint", "cat.png", "--style", "woodcut", "--method", "texture", "--size", "1024", "--quality", "high"]
    painter = subprocess.Popen(
        [sys.executable, "-m", "stylizer_cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(stderr)
    seen = b""
    while b"%" not in seen:
        seen += os.read(screen, 4096)
    painter.send_signal(signal.SIGINT)
    stdout, _ = painter.communicate()
    rest = b""
    try:
        while part := os.read(screen, 4096):
            rest += part
    except OSError:  # raised once the other end is closed
        pass
    os.close(screen)
    assert painter.returncode == 130
    assert stdout == b""
    assert b"stylizer: error: interrupted; nothing was written" in rest
    assert b"Traceback" not in rest
    assert set(folder.iterdir()) == before


def test_paint_applies_every_option(run: Run, folder: Path) -> None:
    def paint(*arguments: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        code, _, stderr = run("paint", "cat.png", *SMALL, "-o", "a.png", "--force", *arguments)
        assert code == 0, stderr
        return decode(folder / "a.png").rgb

    woodcut, texture = ["--style", "woodcut"], ["--style", "woodcut", "--method", "texture"]
    by_neighbor, by_texture = paint(*woodcut), paint(*texture)
    np.testing.assert_array_equal(by_neighbor, paint("--style", "woodcut=3", "--seed", "0", "--method", "neighbor"))
    for without, arguments in (
        (by_neighbor, ["--style", "mosaic"]),
        (by_neighbor, ["--style", "woodcut=0.7", "--style", "mosaic=0.3"]),
        (by_neighbor, ["--style", str(catalog()["mosaic"].swatch)]),
        (by_neighbor, [*woodcut, "--size", "80"]),
        (by_neighbor, [*woodcut, "--strength", "0.5"]),
        (by_neighbor, [*woodcut, "--style-scale", "0.5"]),
        (by_neighbor, [*woodcut, "--preserve-color", "luminance"]),
        (by_neighbor, [*woodcut, "--mask", "left.png"]),
        (by_neighbor, [*woodcut, "--style", "mosaic=2@left.png"]),
        (by_neighbor, [*woodcut, "--seed", "7"]),
        (by_neighbor, texture),
        (by_texture, [*texture, "--quality", "standard"]),
        (by_texture, [*texture, "--content-mask", "left.png"]),
        (by_texture, ["--style", "woodcut", "--method", "optimization"]),
    ):
        other = paint(*arguments)
        assert other.shape != without.shape or (other != without).any(), arguments


def test_paint_keeps_the_metadata_that_is_asked_for(run: Run, folder: Path) -> None:
    with Image.open(folder / "cat.png") as photo:
        photo.save("cat.jpg", exif=camera_exif(dpi=300))

    for keep, tags in (("none", set()), ("exif", {"image", "exif"}), ("exif+gps", {"image", "exif", "gps"})):
        output = ("-o", f"{keep}.jpg", "--keep-metadata", keep)
        assert run("paint", "cat.jpg", "-s", "woodcut", *SMALL, *output)[0] == 0
        metadata = decode(folder / f"{keep}.jpg", keep_metadata="exif+gps").metadata
        assert (set() if metadata is None else set(metadata.tags)) == tags


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--strength", "lots"], "strength is 'lots'; it must be a number from 0 to 1"),
        (["--size", "12"], "size is 12; it must be a whole number from 64 to 8192 pixels, or original"),
        (["--keep-metadata", "gps"], "keep_metadata is 'gps'; it must be one of none, exif, exif+gps"),
        (
            ["--method", "magic"],
            "method is 'magic'; it must be one of neighbor, feedforward, optimization, texture, color",
        ),
        (["--features", "vgg19"], "features is 'vgg19', which method neighbor cannot use; allowed: compact"),
        (
            ["--method", "color", "--content-mask", "left.png"],
            "content_mask is not supported by method color; leave it out, or choose method neighbor, feedforward or "
            "texture",
        ),
        (["--format-quality", "0"], "format_quality is 0; it must be a whole number from 1 to 100"),
        (["--format", "bmp"], "format is 'bmp'; it must be one of jpeg, png, webp, avif, tiff"),
        (["--style", "wodcut"], "woodcut"),
        (["--style", "mosaic=-1"], "weight"),
        (["--colour", "red"], "No such option: --colour"),
    ],
)
def test_invalid_usage_is_one_line_and_exit_code_2(run: Run, folder: Path, arguments: list[str], words: str) -> None:
    before = set(folder.iterdir())
    style = () if "--style" in arguments else ("--style", "woodcut")
    code, stdout, stderr = run("paint", "cat.png", "-o", "out.jpg", *SMALL, *style, *arguments)
    assert (code, stdout) == (2, "")
    assert stderr.startswith("stylizer: error: ")
    assert words in stderr
    assert stderr.count("\n") == 1
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["text.jpg"], "the photo is text; accepted: jpeg,"),
        (["empty.jpg"], "the photo is empty: it has 0 bytes"),
        (["short.png"], "the photo is damaged or truncated"),
        (["dog.jpg"], "the photo 'dog.jpg' cannot be read: No such file or directory"),
        (["cat.png", "--mask", "empty.jpg"], "the mask is empty"),
        (["cat.png", "--method", "texture", "--content-mask", "text.jpg"], "the content mask is text"),
        (["cat.png", "--style", "mosaic@gone.png"], "the mask of a style 'gone.png' cannot be read"),
        (["cat.png", "--style", "text.jpg"], "the style picture is text"),
    ],
)
def test_unusable_picture_is_one_line_and_exit_code_1(run: Run, arguments: list[str], words: str) -> None:
    style = () if "--style" in arguments else ("--style", "woodcut")
    code, stdout, stderr = run("paint", *arguments, "-o", "out.jpg", *SMALL, *style)
    assert (code, stdout) == (1, "")
    assert stderr.startswith(f"stylizer: error: {words}")
    assert stderr.count("\n") == 1


def test_existing_output_is_replaced_only_with_force(run: Run, folder: Path) -> None:
    (folder / "out.jpg").write_bytes(b"mine")
    arguments = ("paint", "cat.png", "--style", "woodcut", *SMALL, "-o", "out.jpg")
    code, _, stderr = run(*arguments)
    assert (code, stderr) == (
        2,
        "stylizer: error: output 'out.jpg' already exists; --force replaces it\n",
    )
    assert (folder / "out.jpg").read_bytes() == b"mine"
    assert run(*arguments, "--force")[0] == 0
    assert decode(folder / "out.jpg").format == "jpeg"


def test_quiet_prints_only_errors(run: Run) -> None:
    common = ("--style", "woodcut", "--method", "color", *SMALL, "--quiet")
    many = ("cat.png", "left.png", "--to", "out")
    for arguments in (("cat.png", "-o", "one.jpg"), many, many):  # the last time all exist
        assert run("paint", *arguments, *common) == (0, "", "")
    assert run("compare", "cat.png", *ONE_VARIANT, "--quiet") == (0, "", "")
    code, stdout, stderr = run("paint", "cat.png", "text.jpg", "--to", "other", *common)
    assert (code, stdout, stderr.count("\n")) == (1, "", 1)
    assert "text.jpg" in stderr


def test_compare_shows_background_through_transparent_photo(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    photo = Image.open("cat.png")
    clear = photo.copy()
    clear.putalpha(Image.open("left.png"))
    clear.save("clear.png")
    before = set(folder.iterdir())
    assert cli.run(["compare", "clear.png", *ONE_VARIANT, "-o", "-"]) == 0
    data, notes = capfdbinary.readouterr()
    assert notes == b"compared 1 paintings\n"
    sheet = decode(data).rgb.astype(int)
    background, shown = sheet[0, 0], sheet[86:126, 28:92]  # the first cell
    small = np.asarray(photo.resize((64, 43), Image.Resampling.LANCZOS))[:40]
    assert np.abs(shown[:, 40:] - background).max() < 10
    assert np.abs(shown[:, :24] - small[:, :24]).mean() < 8
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("photo", "code", "words"),
    [("-", 2, "photo is -, which can be read only once; give a file"), ("text.jpg", 1, "the photo is text")],
)
def test_compare_unusable_photo_writes_no_sheet(run: Run, folder: Path, photo: str, code: int, words: str) -> None:
    found = run("compare", photo, *ONE_VARIANT, "-o", "sheet.png")
    assert found[:2] == (code, "")
    assert found[2].startswith(f"stylizer: error: {words}")
    assert not (folder / "sheet.png").exists()


def test_help_lists_every_option_with_range_and_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, stdout, _ = run("paint", "--help")
    assert code == 0
    for field in fields(Options):
        assert f"--{field.name.replace('_', '-')}" in stdout
        assert field.default is None or f"[default: {field.default}]" in stdout
    assert f"[default: {DEFAULT_METHOD}]" in stdout
    for words in (
        "64 to 8192",
        "0 to 1",
        "0.25 to 4",
        "draft|standard|high",
        "neighbor|feedforward|optimization|texture|color",
        "compact|vgg19",
        "stylizer paint cat.jpg --style",
    ):
        assert words in stdout


def test_styles_prints_one_line_per_style_without_a_terminal(run: Run) -> None:
    code, stdout, _ = run("styles")
    assert code == 0
    assert [line.split("\t")[0] for line in stdout.splitlines()] == list(catalog())


def test_styles_table_on_a_terminal_escapes_markup(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_STYLES", str(folder / "own"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    own = folder / "own" / "quilt"
    own.mkdir(parents=True)
    (own / "swatch.png").touch()
    facts = "".join(
        f'{fact} = "[/b] [red]{fact} :cat:"\n' for fact in ("title", "artist", "year", "license", "description")
    )
    (own / "style.toml").write_text(facts)
    code, stdout, stderr = run("styles")
    assert code == 0, stderr
    assert "[/b] [red]title :cat:" in stdout
    assert stdout.count("\n") > len(catalog())


def test_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"stylizer {version('image-stylizer')}\n", "")


def test_commands_that_do_not_paint_do_not_import_torch() -> None:
    code = """
import sys
from stylizer_cli.main import run
for command in ("--help", "paint --help", "fetch --help", "styles", "paint cat.png", "fetch compact"):
    run(command.split())
    assert "torch" not in sys.modules, command
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_closed_stdout_pipe_exits_without_traceback() -> None:
    # The read end is closed before anything is written.
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "stylizer_cli", "styles"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
