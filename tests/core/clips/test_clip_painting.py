from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from clip_files import SIDE, animation, panned, video
from PIL import Image

from stylizer import Canceled, Options, clips, stylize, stylize_clip
from stylizer.clips import (
    ClipInfo,
    ClipProgress,
    Frame,
    Segment,
    join_segments,
    paint_segment,
    plan_segments,
    probe,
    read_frames,
)
from stylizer.clips.frames import pack_frames, unpack_frames
from stylizer.clips.stabilizer import Stabilizer
from stylizer.errors import InvalidState, MaskMismatch, OptionError, StylizerError, UnknownStyle
from stylizer.methods.neighbor_reduced import PLANS
from stylizer.options import MethodName, Quality

Bytes = npt.NDArray[np.uint8]
OPTIONS = Options(size=96)
STEP = (2.0, 1.0)
FLAT = clips.ClipLimits(min_side=1, max_aspect_ratio=200)


def png(frames: list[Bytes]) -> bytes:
    """Return a lossless animation; encoders would merge equal frames."""
    return animation(frames, "png", [40 + 10 * (number % 2) for number in range(len(frames))])


def painted(
    frames: list[Bytes], method: MethodName = "feedforward", options: Options = OPTIONS, mask: Image.Image | None = None
) -> tuple[list[Bytes], int]:
    """Return the paintings of a clip's frames, and how many of them were repainted."""
    info = ClipInfo("png", *SIDE, (1, 25), tuple(range(len(frames) + 1)))
    (segment,) = plan_segments(info)

    def read(_source: bytes, _info: ClipInfo, start: int, stop: int, size: tuple[int, int]) -> Iterator[Frame]:
        for frame in frames[start:stop]:
            yield Frame(np.asarray(Image.fromarray(frame).resize(size)))

    part = paint_segment(
        b"no file",
        info,
        segment,
        "woodcut",
        state=None,
        method=method,
        options=options,
        mask=mask,
        format="png",
        reader=read,
    )
    return [frame.rgb for frame in unpack_frames(part.data)], part.painted


def painted_alone(frames: list[Bytes], method: MethodName = "feedforward") -> list[Bytes]:
    return [
        np.asarray(stylize(Image.fromarray(frame), "woodcut", method=method, options=OPTIONS).image) for frame in frames
    ]


def assert_about_equal(picture: Bytes, expected: Bytes) -> None:
    """Assert equality up to the rounding of the palette transfer, which is kept for the next frame."""
    assert np.abs(picture.astype(int) - expected).mean() < 0.5


def warped_difference(frames: list[Bytes], step: tuple[float, float]) -> float:
    """Return the mean difference of successive frames after warping by the known motion of the camera."""
    differences = []
    for before, after in pairwise(frames):
        moved = Image.fromarray(before).transform(
            SIDE, Image.Transform.AFFINE, (1, 0, step[0], 0, 1, step[1]), Image.Resampling.BICUBIC
        )
        difference = np.abs(np.asarray(moved, np.float32) - after)
        differences.append(difference[4:-8, 4:-8].mean())
    return float(np.mean(differences))


@pytest.mark.parametrize("method", ["feedforward", "neighbor"])
def test_noisy_still_clip_does_not_flicker(method: MethodName) -> None:
    frames = panned(3, (0, 0), noise=3)
    together, count = painted(frames, method)
    alone = warped_difference(painted_alone(frames, method), (0, 0))
    assert alone > 2
    assert 4 * warped_difference(together, (0, 0)) < alone
    assert count == 1


@pytest.mark.parametrize(
    ("method", "quality"), [("feedforward", "standard"), ("neighbor", "standard"), ("neighbor", "high")]
)
def test_strokes_move_with_a_panning_camera(
    method: MethodName, quality: Quality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANS, "high", PLANS["high"]._replace(coarse_steps=(16, 8), refinement_steps=2))
    frames = panned(3, STEP, noise=2)
    together, _ = painted(frames, method, replace(OPTIONS, quality=quality))
    alone = warped_difference(painted_alone(frames, method), STEP)
    assert 4 * warped_difference(together, STEP) < alone


def test_each_scene_is_painted_like_a_photo_once() -> None:
    first, other = panned(1, (0, 0))[0], panned(1, (0, 0), seed=5)[0]
    together, count = painted([first, first, other])
    assert count == 2
    assert np.array_equal(together[0], together[1])
    for painting, alone in zip((together[0], together[2]), painted_alone([first, other]), strict=True):
        assert_about_equal(painting, alone)


def test_disoccluded_area_matches_the_tone_around_it() -> None:
    ground = panned(1, (0, 0))[0] // 2 + 40
    frames = []
    for left in (30, 60):
        frame = ground.copy()
        frame[30:42, left : left + 12] = 255
        frames.append(torch.from_numpy(frame).permute(2, 0, 1)[None])
    stabilizer = Stabilizer()
    stabilizer.paint(frames[0], lambda _: frames[0])

    painting, _ = stabilizer.paint(frames[1], lambda _: frames[1] + 40)  # the same things in another tone

    uncovered = (painting.float() - frames[1])[..., 30:42, 30:42]
    assert float(uncovered.abs().mean()) < 10


@pytest.mark.parametrize("method", ["texture", "optimization"])
def test_every_method_paints_clips(method: MethodName) -> None:
    frames = panned(3, (0, 0), noise=2)
    together, count = painted(frames, method, Options(size=64, quality="draft"))
    assert count == 1
    assert np.array_equal(together[0], together[2])


@pytest.mark.parametrize(("method", "strength"), [("feedforward", 1), ("feedforward", 0), ("neighbor", 1)])
def test_resumed_painting_gives_the_same_clip(method: MethodName, strength: float) -> None:
    data = png(panned(9, STEP, noise=2))
    info = probe(data)
    options = Options(size=64, quality="draft", strength=strength)

    def paint(segment: clips.Segment, state: bytes | None) -> clips.PaintedSegment:
        return paint_segment(data, info, segment, "woodcut", state=state, method=method, options=options, format="png")

    state: bytes | None = None
    parts: list[bytes] = []
    for segment in plan_segments(info, frames=8):
        part = paint(segment, state)  # by its bytes alone, as in another process
        assert part.frames == segment.stop - segment.start
        state, parts = part.state, [*parts, part.data]
    joined = join_segments(parts, info, format="png")
    whole = stylize_clip(data, "woodcut", method=method, options=options)
    assert joined == whole.data


def test_state_that_does_not_fit_is_refused() -> None:
    data = png(panned(17, STEP))
    info, options = probe(data), Options(size=64, quality="draft")
    first, second, third = plan_segments(info, frames=8)

    def paint(segment: clips.Segment, state: bytes | None, options: Options) -> clips.PaintedSegment:
        return paint_segment(
            data, info, segment, "woodcut", state=state, method="feedforward", options=options, format="png"
        )

    state = paint(first, None, options).state
    damaged = state[:200] + b"\xff" * 40 + state[240:]
    size = state.index(b"PK\1\2") + 24  # of the first entry, inflated
    inflating = state[:size] + struct.pack("<I", 2**30) + state[size + 4 :]
    other = Options(size=64, quality="draft", seed=1)
    for arguments in (
        (second, damaged, options),
        (second, b"", options),
        (second, inflating, options),
        (third, state, options),
        (second, state, other),
    ):
        with pytest.raises(InvalidState) as caught:
            paint(*arguments)
        assert caught.value.field == "state"


@pytest.mark.parametrize(("start", "stop"), [(2, 4), (0, 0), (8, 18), (8, 16)])
def test_segment_that_does_not_fit_is_refused(start: int, stop: int) -> None:
    data = png(panned(17, STEP))
    with pytest.raises(ValueError, match=r"not a segment of this clip|needs the state after the previous one"):
        paint_segment(data, probe(data), Segment(start, stop), "woodcut", state=None, options=OPTIONS, format="png")


def test_masked_area_shows_the_current_frame() -> None:
    frames = panned(3, (0, 0), noise=6)
    mask = Image.new("L", SIDE, 0)
    mask.paste(255, (0, 0, 40, SIDE[1]))
    paintings, _ = painted(frames, mask=mask)
    for painting, frame in zip(paintings, frames, strict=True):
        assert np.array_equal(painting[:, 48:], frame[:, 48:])
    assert np.array_equal(paintings[0][:, :32], paintings[2][:, :32])


@pytest.mark.parametrize(
    ("arguments", "error", "field"),
    [
        ({"mask": Image.new("L", (10, 10))}, MaskMismatch, "mask"),
        ({"options": Options(size=2048)}, OptionError, "size"),
        ({"format": "avi"}, OptionError, "format"),
        ({"style": "no-such-style"}, UnknownStyle, "style"),
        (
            {"content": png([np.zeros((2, 300, 3), np.uint8)] * 2), "clip_limits": FLAT, "format": "mp4"},
            OptionError,
            "size",
        ),
    ],
)
def test_wrong_argument_for_a_clip_is_named(arguments: dict[str, Any], error: type[StylizerError], field: str) -> None:
    given: dict[str, Any] = {"content": png(panned(2, STEP)), "style": "woodcut", "options": OPTIONS} | arguments
    with pytest.raises(error) as caught:
        stylize_clip(**given)
    assert caught.value.field == field


def test_strength_0_returns_the_frames() -> None:
    frames = panned(3, STEP, noise=4)
    together, _ = painted(frames, options=Options(size=96, strength=0))
    assert all(np.array_equal(a, b) for a, b in zip(together, frames, strict=True))


@pytest.mark.parametrize("form", ["gif", "webp", "png"])
def test_transparency_is_kept(form: str) -> None:
    frames = [Image.fromarray(frame) for frame in panned(2, STEP)]
    alpha = Image.new("L", SIDE, 255)
    alpha.paste(0, (0, 0, 30, SIDE[1]))
    for frame in frames:
        frame.putalpha(alpha)
    buffer = io.BytesIO()
    frames[0].save(buffer, "png", save_all=True, append_images=frames[1:], duration=50)
    clip = stylize_clip(buffer.getvalue(), "woodcut", method="feedforward", options=OPTIONS, format=form)  # type: ignore[arg-type]
    for painting in read_frames(clip.data, probe(clip.data), 0, 2, SIDE):
        assert painting.alpha is not None
        assert not painting.alpha[:, :28].any()
        assert painting.alpha[:, 34:].min() == 255


@pytest.mark.parametrize("form", ["gif", "webp", "png"])
def test_timestamps_and_repetitions_are_kept(form: str) -> None:
    durations = [40, 50, 170, 40]
    source = animation(panned(4, STEP), form, durations, loop=4)
    clip = stylize_clip(source, "woodcut", method="feedforward", options=OPTIONS)
    before, after = probe(source), probe(clip.data)
    assert clip.format == form
    assert (after.durations_ms(), after.loop) == (durations, before.loop)


@pytest.mark.parametrize("form", ["gif", "webp", "png"])
@pytest.mark.parametrize(("count", "loop"), [(1, 1), (3, 1), (3, 2), (3, 0)])
def test_joined_animation_is_played_as_often(form: clips.ClipFormat, count: int, loop: int) -> None:
    info = ClipInfo("png", *SIDE, (1, 25), tuple(range(count + 1)), loop)
    frames = [Frame(frame) for frame in panned(count, STEP)]
    joined = probe(join_segments([pack_frames(frames)], info, format=form))
    assert (joined.frames, joined.loop) == (count, loop)
    with pytest.raises(ValueError, match=f"hold {count - 1} frames, and the clip has {count}"):
        join_segments([pack_frames(frames[1:])], info, format=form)


def test_video_keeps_its_timestamps(tmp_path: Path) -> None:
    source = video(panned(5, STEP), [0, 33, 100, 120, 200], form="webm", codec="libvpx-vp9", audio=True)
    clip = stylize_clip(source, "woodcut", method="feedforward", options=OPTIONS)
    clip.save(tmp_path / "clip.mp4")
    result = probe(tmp_path / "clip.mp4")
    assert (result.format, result.frames, result.has_audio) == ("mp4", 5, True)
    assert result.durations_ms() == probe(source).durations_ms()
    assert clip.size == (96, 72)


def test_video_becomes_a_gif() -> None:
    clip = stylize_clip(video(panned(3, STEP)), "woodcut", method="feedforward", options=OPTIONS, format="gif")
    assert probe(clip.data).durations_ms() == [40, 40, 40]


def test_progress_counts_frames_and_shows_them() -> None:
    reports: list[ClipProgress] = []
    previews: dict[int, set[bytes]] = {}

    def on_progress(progress: ClipProgress) -> None:
        reports.append(progress)
        assert progress.preview().size == (96, 72)
        previews.setdefault(progress.frame, set()).add(progress.preview().tobytes())

    stylize_clip(png(panned(3, STEP)), "woodcut", method="feedforward", options=OPTIONS, on_progress=on_progress)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert (reports[-1].frame, reports[-1].frames, reports[-1].fraction) == (3, 3, 1.0)
    assert {report.frame for report in reports} == {0, 1, 2, 3}
    assert [len(previews[frame]) for frame in (1, 2, 3)] == [1, 1, 1], "only finished frames are shown"


def test_exception_from_progress_cancels() -> None:
    def cancel(progress: ClipProgress) -> None:
        if progress.frame == 1:
            raise Canceled("stop")

    with pytest.raises(Canceled):
        stylize_clip(png(panned(3, STEP)), "woodcut", method="feedforward", options=OPTIONS, on_progress=cancel)


def test_original_size_paints_clip_as_large_as_its_frames() -> None:
    data = png(panned(2, STEP))
    original, named = (
        stylize_clip(data, "woodcut", method="feedforward", options=Options(size=size, quality="draft"))
        for size in ("original", max(SIDE))
    )
    assert original.size == SIDE
    assert original.data == named.data
