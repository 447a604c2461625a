from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clip_files import animation, panned, video
from disk_clips import long_gif
from PIL import Image

from stylizer.clips import probe
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


@pytest.mark.parametrize(("suffix", "format"), [("mp4", "mp4"), ("webp", "webp"), ("png", "png"), ("gif", "gif")])
def test_suffix_of_the_output_chooses_the_format(folder: Path, suffix: str, format: str) -> None:  # noqa: A002
    assert cli.run(["paint", "clip.mp4", *FAST, "-o", f"out.{suffix}", "-q"]) == 0
    info = probe(folder / f"out.{suffix}")
    assert (info.format, info.frames) == (format, 3)


def test_gif_to_jpeg_paints_the_first_frame(folder: Path) -> None:
    assert cli.run(["paint", "clip.gif", *FAST, "-o", "out.jpg", "-q"]) == 0
    with Image.open(folder / "out.jpg") as image:
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


def test_broken_video_exits_with_code_1(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:500])
    assert cli.run(["paint", "broken.mp4", *FAST]) == 1
    assert "the clip is broken" in capfd.readouterr().err


def test_photos_and_clips_are_painted_together(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(panned(1, (0, 0))[0]).save(folder / "still.png")
    (folder / "broken.webm").write_bytes(video(panned(2, (1, 0)), form="webm", codec="libvpx-vp9")[:300])
    assert cli.run(["paint", "clip.mp4", "still.png", "clip.gif", "broken.webm", *FAST, "--to", "out"]) == 1
    out, err = capfd.readouterr()
    assert out.split() == ["out/clip-woodcut.mp4", "out/still-woodcut.png", "out/clip-woodcut.gif"]
    assert "error: broken.webm: the clip is broken" in err
    assert err.endswith("painted 3, failed 1\n")
    assert [probe(folder / line).frames for line in out.split()] == [3, 1, 3]


def test_clip_beyond_the_limits_fails_alone_in_a_batch(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "long.gif").write_bytes(long_gif(2_000))
    assert cli.run(["paint", "long.gif", "clip.gif", *FAST, "--to", "out"]) == 1
    out, err = capfd.readouterr()
    assert out == "out/clip-woodcut.gif\n"
    assert "long.gif: the clip has more than 1,800 frames" in err


def test_interrupted_clip_leaves_no_file(folder: Path) -> None:
    before = set(folder.iterdir())
    (folder / "long.gif").write_bytes(animation(panned(60, (1, 0)), "gif", [40] * 60))
    command = [sys.executable, "-m", "stylizer_cli", "paint", "long.gif", "--style", "woodcut", "--size", "512"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6)  # long enough to begin, too short to paint 60 frames
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert set(folder.iterdir()) == {*before, folder / "long.gif"}
