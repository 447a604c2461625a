from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clip_files import animation, panned, video
from disk_clips import long_gif
from PIL import Image

import stylizer
from stylizer.clips import Clip, ClipProgress, probe
from stylizer_cli import main as cli

FAST = ("--style", "woodcut", "--method", "feedforward", "--size", "64")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    frames = panned(3, (2, 1))
    (tmp_path / "clip.gif").write_bytes(animation(frames, "gif", [40, 50, 60]))
    (tmp_path / "clip.mp4").write_bytes(video(frames, [0, 33, 100]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_gif_is_painted_as_a_gif(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["paint", "clip.gif", *FAST]) == 0
    out, err = capfd.readouterr()
    assert out == "clip-woodcut.gif\n"
    assert "painted 3 frames of 64 x 48 pixels" in err
    assert probe(folder / "clip-woodcut.gif").durations_ms() == [40, 50, 60]


@pytest.mark.parametrize("suffix", ["mp4", "webp", "png"])
def test_suffix_of_the_output_chooses_the_format(folder: Path, suffix: str) -> None:
    assert cli.run(["paint", "clip.mp4", *FAST, "-o", f"out.{suffix}", "-q"]) == 0
    info = probe(folder / f"out.{suffix}")
    assert (info.format, info.frames) == (suffix, 3)


@pytest.mark.parametrize(
    ("arguments", "name"), [(("-o", "out.jpg"), "out.jpg"), (("--format", "jpeg"), "clip-woodcut.jpg")]
)
def test_gif_to_jpeg_paints_the_first_frame(folder: Path, arguments: tuple[str, ...], name: str) -> None:
    assert cli.run(["paint", "clip.gif", *FAST, *arguments, "-q"]) == 0
    with Image.open(folder / name) as image:
        assert image.size == (64, 48)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("clip.mp4", "-o", "out.jpg"), "suffix of a clip"),
        (("clip.mp4", "--variants", "2"), "variants is 2"),
        (("clip.gif", "--format-quality", "50"), "gif has none"),
        (("clip.mp4", "-o", "out.mp4", "--format", "webp"), "format is webp"),
        (("clip.mp4", "--size", "2000"), "at most 1080"),
        (("clip.gif", "--keep-metadata", "exif"), "a clip keeps no metadata"),
    ],
)
def test_invalid_usage_of_a_clip_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    before = set(folder.iterdir())
    assert cli.run(["paint", *FAST, *arguments]) == 2
    assert words in capfd.readouterr().err
    assert set(folder.iterdir()) == before


def test_photos_and_clips_are_painted_together(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(panned(1, (0, 0))[0]).save(folder / "still.png")
    (folder / "broken.webm").write_bytes(video(panned(2, (1, 0)), form="webm", codec="libvpx-vp9")[:300])
    (folder / "long.gif").write_bytes(long_gif(2_000))
    clips = ["clip.mp4", "still.png", "long.gif", "clip.gif", "broken.webm"]
    assert cli.run(["paint", *clips, *FAST, "--to", "out"]) == 1
    out, err = capfd.readouterr()
    assert out.split() == ["out/clip-woodcut.mp4", "out/still-woodcut.png", "out/clip-woodcut.gif"]
    assert "error: broken.webm: the clip is broken" in err
    assert "error: long.gif: the clip has more than 1,800 frames" in err
    assert err.endswith("painted 3, failed 2\n")
    assert [probe(folder / line).frames for line in out.split()] == [3, 1, 3]


def test_interrupted_clip_leaves_no_file(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = stylizer.stylize_clip

    def interrupted(*arguments: Any, on_progress: Callable[[ClipProgress], None], **options: Any) -> Clip:
        def report(progress: ClipProgress) -> None:
            on_progress(progress)
            if progress.frame == 2:
                signal.raise_signal(signal.SIGINT)

        return paint(*arguments, on_progress=report, **options)

    monkeypatch.setattr(stylizer, "stylize_clip", interrupted)
    before = set(folder.iterdir())
    assert cli.run(["paint", "clip.gif", *FAST]) == 130
    assert capfd.readouterr().err.endswith("error: interrupted; nothing was written\n")
    assert set(folder.iterdir()) == before
