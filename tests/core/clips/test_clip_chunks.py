"""Chunks of a clip, painted from key frames and blended into the next one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from clip_files import SIDE, Bytes, panned
from PIL import Image

from stylizer import Options, clips
from stylizer.clips import ClipInfo, Frame, PaintedSegment, Segment, plan_chunk, plan_chunks
from stylizer.clips.frames import unpack_frames
from stylizer.errors import InvalidState

STEP = (2.0, 1.0)


def info_of(count: int) -> ClipInfo:
    return ClipInfo("png", *SIDE, (1, 25), tuple(range(count + 1)))


def paint(
    frames: list[Bytes],
    segment: Segment,
    state: bytes | None,
    *,
    state_stop: int | None = None,
    next_keyframe_state: bytes | None = None,
) -> PaintedSegment:
    def read(_source: bytes, _info: ClipInfo, start: int, stop: int, size: tuple[int, int]) -> Iterator[Frame]:
        for frame in frames[start:stop]:
            yield Frame(np.asarray(Image.fromarray(frame).resize(size)))

    return clips.paint_segment(
        b"no file",
        info_of(len(frames)),
        segment,
        "woodcut",
        state=state,
        state_stop=state_stop,
        next_keyframe_state=next_keyframe_state,
        method="feedforward",
        options=Options(size=96),
        format="png",
        reader=read,
    )


def pictures(part: PaintedSegment) -> list[Bytes]:
    return [frame.rgb for frame in unpack_frames(part.data)]


def key_frames(frames: list[Bytes], number: int) -> tuple[PaintedSegment, PaintedSegment]:
    """Paint frame 0, then frame `number` from its state."""
    first = paint(frames, Segment(0, 1), None)
    return first, paint(frames, Segment(number, number + 1), first.state, state_stop=1)


def moved_difference(before: Bytes, after: Bytes) -> float:
    moved = Image.fromarray(before).transform(
        SIDE, Image.Transform.AFFINE, (1, 0, STEP[0], 0, 1, STEP[1]), Image.Resampling.BICUBIC
    )
    return float(np.abs(np.asarray(moved, np.float32) - after)[4:-8, 4:-8].mean())


@pytest.mark.parametrize(("count", "most"), [(1, 16), (17, 16), (49, 48), (1800, 50)])
def test_chunks_and_key_frames_cover_each_frame_once(count: int, most: int) -> None:
    chunks = plan_chunks(info_of(count), most)
    assert max(stop - start for start, stop in chunks) <= most + 8
    segments = [segment for chunk in chunks for segment in (Segment(chunk.start, chunk.start + 1), *plan_chunk(chunk))]
    assert [frame for start, stop in segments for frame in range(start, stop)] == list(range(count))
    assert all(start % 8 < 2 and stop - start <= 16 for start, stop in segments)
    with pytest.raises(ValueError, match="at least 16"):
        plan_chunks(info_of(40), 15)


def test_still_clip_is_the_same_paint_in_all_chunks() -> None:
    frames = panned(17, (0, 0), noise=3)
    first, second = key_frames(frames, 16)
    last = pictures(paint(frames, Segment(9, 16), first.state, state_stop=1, next_keyframe_state=second.state))[-1]
    assert second.painted == 0
    assert np.array_equal(last, pictures(second)[0])


def test_moving_clip_is_blended_into_the_next_chunk() -> None:
    frames = panned(9, STEP, noise=2)
    first, second = key_frames(frames, 8)
    key = pictures(second)[0]
    cut, blended = (
        pictures(paint(frames, Segment(1, 8), first.state, next_keyframe_state=following))
        for following in (None, second.state)
    )
    assert 2 * moved_difference(blended[-1], key) < moved_difference(cut[-1], key)
    assert np.abs(blended[0].astype(int) - cut[0]).mean() < np.abs(blended[-1].astype(int) - cut[-1]).mean()


def test_new_scene_after_a_chunk_does_not_show_in_it() -> None:
    frames = [*panned(8, (0, 0)), panned(1, (0, 0), seed=5)[0]]
    first, second = key_frames(frames, 8)
    cut, blended = (
        pictures(paint(frames, Segment(1, 8), first.state, next_keyframe_state=following))
        for following in (None, second.state)
    )
    assert np.abs(blended[-1].astype(int) - cut[-1]).mean() < 2


def test_state_of_another_frame_is_refused() -> None:
    frames = panned(9, (0, 0))
    first, second = key_frames(frames, 8)
    with pytest.raises(InvalidState):
        paint(frames, Segment(8, 9), first.state)
    with pytest.raises(InvalidState):
        paint(frames, Segment(1, 7), first.state, next_keyframe_state=second.state)
