"""Painting of a clip, segment by segment.

Each finished segment is stored with the state from which the next one continues, so that after a crash or a deadline
the next painter resumes after the last stored segment.

If `Settings.clip_chunk_frames` is set, longer clips are painted in chunks (`stylizer_service.jobs.chunks`): the
segments of its job are key frames, and those of a chunk the frames between two of them.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import stylizer
from stylizer import clips
from stylizer.capabilities import validate
from stylizer.clips.segments import SEGMENT_FRAMES
from stylizer.errors import InvalidState
from stylizer_painter.clip_decoding import SANDBOXED_CLIPS
from stylizer_painter.decoding import SANDBOXED
from stylizer_painter.reporting import Reporter, small_jpeg
from stylizer_painter.segments import InvalidSegment, StoredSegment
from stylizer_service.jobs.leases import Lease
from stylizer_service.ports import Unavailable
from stylizer_service.records import Job
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

SERVICE_ONLY_OPTIONS = {"animate", "format", "format_quality"}
"""Options of a job that are not fields of `stylizer.Options`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Inputs of a job: open files, and ids of built-in styles."""

    content: BinaryIO
    styles: Sequence[stylizer.WeightedStyle]
    mask: BinaryIO | None
    content_mask: BinaryIO | None


class _LostSegment(InvalidSegment):
    """A stored segment is missing or unusable."""

    def __init__(self, job: Job, reason: str):
        super().__init__(f"{job.id}: {reason}")
        self.job = job


def paint_clip(lease: Lease, settings: Settings, inputs: Inputs, reporter: Reporter) -> bool:
    """Paint the segments of a job that are not stored yet, and finish the job.

    Returns:
        False if the job is a clip that now waits for its chunks.
    """
    content = inputs.content.read()
    info = SANDBOXED_CLIPS.probe(content, settings.clip_limits)
    painting = _ClipPainting(lease, settings, inputs, reporter, content, info)
    if lease.job.parent_id:
        painting.paint_chunk()
        return True
    if painting.has_chunks():
        return painting.paint_in_chunks()
    painting.paint_whole()
    return True


class _ClipPainting:
    def __init__(
        self,
        lease: Lease,
        settings: Settings,
        inputs: Inputs,
        reporter: Reporter,
        content: bytes,
        info: clips.ClipInfo,
    ):
        self._lease = lease
        self._settings = settings
        self._inputs = inputs
        self._reporter = reporter
        self._content = content
        self._info = info
        job = lease.job
        self._format: clips.ClipFormat = job.options.format  # type: ignore[assignment] # validated when the job was created
        self._options = stylizer.Options(**job.options.model_dump(exclude=SERVICE_ONLY_OPTIONS))
        self._size = clips.check_output(info, self._options.size, settings.clip_limits, self._format)
        self._seconds: dict[int, float] = {}

    def paint_whole(self) -> None:
        """Paint and join the clip."""
        plan = clips.plan_segments(self._info, frames=SEGMENT_FRAMES)
        last = self._paint_segments(plan, total=self._info.frames)
        try:
            self._succeed((self._load_segment(self._lease.job, plan, index).data for index in range(len(plan))), last)
        except _LostSegment as error:
            self._lease.drop_segments()
            raise Unavailable(f"{error}; the clip is painted again") from error

    def has_chunks(self) -> bool:
        """Return whether the clip is painted in chunks."""
        job, frames = self._lease.job, self._settings.clip_chunk_frames
        if job.boundaries or job.segments or frames is None:  # begun by an earlier painter
            return bool(job.boundaries)
        return job.backend == "queue" and self._info.frames > frames

    def paint_in_chunks(self) -> bool:
        """Paint the key frames and send the chunks; join them and return True if all are painted."""
        lease = self._lease
        if not lease.job.boundaries:
            chunks = clips.plan_chunks(self._info, self._settings.clip_chunk_frames or self._info.frames)
            lease.begin_chunks((*(chunk.start for chunk in chunks), self._info.frames))
        keys = _key_frames(lease.job)
        # A chunk needs its own key frame and the next one.
        self._paint_segments(keys, total=self._info.frames, on_stored=lambda count: lease.send_chunks(count - 1))
        lease.send_chunks(len(keys))
        chunk_jobs = lease.painted_chunks()
        if chunk_jobs is None:
            lease.wait_for_chunks()
            return False
        plans = [clips.plan_chunk(clips.Segment(*chunk.boundaries)) for chunk in chunk_jobs]

        def frames() -> Iterator[bytes]:
            for number, (chunk, plan) in enumerate(zip(chunk_jobs, plans, strict=True)):
                yield self._load_segment(lease.job, keys, number).data
                for index in range(len(plan)):
                    yield self._load_segment(chunk, plan, index).data

        try:
            self._succeed(frames(), self._load_segment(chunk_jobs[-1], plans[-1], len(plans[-1]) - 1))
        except _LostSegment as error:
            log.warning("%s; it is painted again", error)
            if error.job.id == lease.job.id:
                lease.drop_segments()
                return self.paint_in_chunks()
            lease.requeue_chunk(error.job)
            return False
        return True

    def paint_chunk(self) -> None:
        """Paint the frames of a chunk after its key frame; the last ones are blended into the next key frame."""
        clip = self._lease.clip()
        keys = _key_frames(clip)
        start, stop = self._lease.job.boundaries
        number = clip.boundaries.index(start)
        try:
            key = self._load_segment(clip, keys, number)
            next_keyframe_state = self._load_segment(clip, keys, number + 1).state if number + 1 < len(keys) else None
        except _LostSegment as error:
            self._lease.requeue_key_frames(clip)
            raise Unavailable(f"{error}; it is painted again") from error
        plan = clips.plan_chunk(clips.Segment(start, stop))
        self._paint_segments(plan, total=stop - start, key=key, next_keyframe_state=next_keyframe_state)
        self._lease.finish_chunk()

    def _succeed(self, frames: Iterator[bytes], last: StoredSegment) -> None:
        width, height = self._size
        if self._format == "mp4":
            width, height = width // 2 * 2, height // 2 * 2  # as `encode_h264` crops it
        self._lease.succeed(
            self._join(frames),
            preview=last.preview,
            width=width,
            height=height,
            frames=self._info.frames,
            duration=round(self._info.seconds, 3),
            features=self._features(),
            seconds=sum(self._seconds.values()),  # complete: `_join` has read all segments
        )

    def _paint_segments(
        self,
        plan: list[clips.Segment],
        *,
        total: int,
        key: StoredSegment | None = None,
        next_keyframe_state: bytes | None = None,
        on_stored: Callable[[int], None] = lambda _: None,
        is_retry: bool = False,
    ) -> StoredSegment:
        """Paint and store the segments that are not stored yet; return the last one of the plan.

        Args:
            plan: All segments of the job.
            total: Frames of the job.
            key: For a chunk, the key frame before its first segment.
            next_keyframe_state: For a chunk, the state of the key frame after its last segment.
            on_stored: Called with the number of stored segments after each one that is painted.
            is_retry: Whether all stored segments were dropped because of a state of another version.
        """
        last = self._load_last_segment(plan)
        done = sum(stop - start for start, stop in plan[: len(self._lease.job.segments)]) + (key is not None)
        for number in range(len(self._lease.job.segments), len(plan)):
            segment = plan[number]
            share = segment.stop - segment.start
            self._reporter.begin(done, total, share=share)
            done += share
            is_last = number + 1 == len(plan)
            try:
                last = self._paint_segment(segment, last or key, next_keyframe_state if is_last else None)
            except InvalidState as error:  # stored by another version of this program
                if number == 0 or is_retry:
                    raise
                log.warning("%s: %s", self._lease.job.id, error)
                self._lease.drop_segments()
                return self._paint_segments(
                    plan,
                    total=total,
                    key=key,
                    next_keyframe_state=next_keyframe_state,
                    on_stored=on_stored,
                    is_retry=True,
                )
            self._lease.add_segment(last.pack(), progress=done / total)
            on_stored(number + 1)
        assert last is not None  # a plan has at least one segment
        return last

    def _load_last_segment(self, plan: list[clips.Segment]) -> StoredSegment | None:
        """Return the last stored segment, if any. If it is unusable, drop all of them."""
        count = len(self._lease.job.segments)
        if count == 0:
            return None
        try:
            if count <= len(plan):
                return self._load_segment(self._lease.job, plan, count - 1)
        except _LostSegment as error:
            log.warning("%s", error)
        self._lease.drop_segments()
        return None

    def _load_segment(self, job: Job, plan: list[clips.Segment], index: int) -> StoredSegment:
        file = self._lease.segment(index, job)
        try:
            if file is None:
                raise InvalidSegment(f"segment {index} is missing")
            segment = StoredSegment.unpack(file, *plan[index])
        except InvalidSegment as error:
            raise _LostSegment(job, str(error)) from error
        self._seconds[segment.start] = segment.seconds
        return segment

    def _paint_segment(
        self, segment: clips.Segment, previous: StoredSegment | None, next_keyframe_state: bytes | None
    ) -> StoredSegment:
        job, inputs = self._lease.job, self._inputs
        started = time.monotonic()
        for file in (inputs.mask, inputs.content_mask, *(part for style in inputs.styles for part in style)):
            if isinstance(file, io.IOBase):
                file.seek(0)  # consumed by the previous segment
        painted = clips.paint_segment(
            self._content,
            self._info,
            segment,
            inputs.styles,
            state=previous.state if previous else None,
            state_stop=previous.stop if previous else None,
            next_keyframe_state=next_keyframe_state,
            method=job.method,
            options=self._options,
            mask=inputs.mask,
            content_mask=inputs.content_mask,
            format=self._format,
            format_quality=job.options.format_quality,
            limits=self._settings.picture_limits,
            clip_limits=self._settings.clip_limits,
            on_progress=self._reporter,
            decoder=SANDBOXED,
            reader=SANDBOXED_CLIPS.read,
        )
        preview, seconds = small_jpeg(painted.preview), time.monotonic() - started
        return StoredSegment(*segment, painted.data, painted.state, preview, seconds)

    def _join(self, frames: Iterator[bytes]) -> bytes:
        quality = self._lease.job.options.format_quality
        if self._format == "mp4":
            # In the sandbox: it demuxes the untrusted clip to copy its audio track.
            return SANDBOXED_CLIPS.join(list(frames), self._info, self._content)
        return clips.join_segments(frames, self._info, format=self._format, format_quality=quality)

    def _features(self) -> str | None:
        options = self._options
        return validate(
            self._lease.job.method,
            size=options.size,
            style_scale=options.style_scale,
            features=options.features,
            preserve_color=options.preserve_color,
            has_content_mask=False,
        )


def _key_frames(clip: Job) -> list[clips.Segment]:
    return [clips.Segment(start, start + 1) for start in clip.boundaries[:-1]]
