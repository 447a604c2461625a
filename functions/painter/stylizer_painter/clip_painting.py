"""Paint the clip of a job, segment by segment.

Each finished segment is stored with the state that the next one goes on from, so that no painter repeats what an
earlier one has finished: neither after a crash nor when a painter's time is over.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator, Sequence
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
from stylizer_service.settings import Settings

log = logging.getLogger(__name__)

NOT_OF_THE_CORE = {"animate", "format", "format_quality"}
"""Options of a job that `stylizer.Options` does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Inputs of a job: open files, and ids of built-in styles."""

    content: BinaryIO
    styles: Sequence[stylizer.WeightedStyle]
    mask: BinaryIO | None
    content_mask: BinaryIO | None


def paint_clip(lease: Lease, settings: Settings, inputs: Inputs, reporter: Reporter) -> None:
    """Paint every segment of a clip that no earlier painter has finished, join them, and end the job."""
    content = inputs.content.read()
    info = SANDBOXED_CLIPS.probe(content, settings.clip_limits)
    clip = _ClipPainting(lease, settings, inputs, reporter, content, info)
    clip.run()


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
        self._format: clips.ClipFormat = job.options.format  # type: ignore[assignment] # checked when it was accepted
        self._options = stylizer.Options(**job.options.model_dump(exclude=NOT_OF_THE_CORE))
        self._size = clips.check_output(info, self._options.size, settings.clip_limits, self._format)
        self._seconds: dict[int, float] = {}
        self._plan = clips.plan_segments(info, frames=SEGMENT_FRAMES)

    def run(self) -> None:
        try:
            last = self._paint_rest(self._last_stored())
        except InvalidState as error:  # stored by another version of this program
            log.warning("%s: %s", self._lease.job.id, error)
            self._lease.drop_segments()
            last = self._paint_rest(None)
        width, height = self._size
        if self._format == "mp4":
            width, height = width // 2 * 2, height // 2 * 2  # as it is encoded
        self._lease.succeed(
            self._join(),
            preview=last.preview,
            width=width,
            height=height,
            frames=self._info.frames,
            duration=round(self._info.seconds, 3),
            features=self._features(),
            seconds=sum(self._seconds.values()),  # complete once all are read to be joined
        )

    def _paint_rest(self, last: StoredSegment | None) -> StoredSegment:
        """Paint and store the segments after `last`, the last stored one, if any; return the last of all."""
        for segment in self._plan[len(self._lease.job.segments) :]:
            last = self._paint(segment, last)
            self._lease.add_segment(last.pack(), progress=segment.stop / self._info.frames)
        assert last is not None  # a clip has one frame at least
        return last

    def _last_stored(self) -> StoredSegment | None:
        """Return the last segment that is stored, if any. If it is unusable, all are painted again."""
        count = len(self._lease.job.segments)
        if count == 0:
            return None
        try:
            if count <= len(self._plan):
                return self._stored(count - 1)
        except InvalidSegment as error:
            log.warning("%s: %s", self._lease.job.id, error)
        self._lease.drop_segments()
        return None

    def _stored(self, index: int) -> StoredSegment:
        file = self._lease.segment(index)
        if file is None:
            raise InvalidSegment(f"the file of segment {index} is gone")
        segment = StoredSegment.unpack(file, *self._plan[index])
        self._seconds[segment.start] = segment.seconds
        return segment

    def _paint(self, segment: clips.Segment, previous: StoredSegment | None) -> StoredSegment:
        job, inputs = self._lease.job, self._inputs
        self._reporter.begin(segment.start, self._info.frames, share=segment.stop - segment.start)
        began = time.monotonic()
        for file in (inputs.mask, inputs.content_mask, *(part for style in inputs.styles for part in style)):
            if isinstance(file, io.IOBase):
                file.seek(0)  # it was read for the segment before
        painted = clips.paint_segment(
            self._content,
            self._info,
            segment,
            inputs.styles,
            state=previous.state if previous else None,
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
        preview, seconds = small_jpeg(painted.preview), time.monotonic() - began
        return StoredSegment(*segment, painted.data, painted.state, preview, seconds)

    def _join(self) -> bytes:
        quality = self._lease.job.options.format_quality
        try:
            if self._format == "mp4":
                # In the sandbox, because it copies the audio track of the untrusted clip.
                return SANDBOXED_CLIPS.join(list(self._frames()), self._info, self._content)
            return clips.join_segments(self._frames(), self._info, format=self._format, format_quality=quality)
        except InvalidSegment as error:
            self._lease.drop_segments()
            raise Unavailable(f"{self._lease.job.id}: {error}; it is painted again") from error

    def _frames(self) -> Iterator[bytes]:
        for index in range(len(self._plan)):
            yield self._stored(index).data

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
