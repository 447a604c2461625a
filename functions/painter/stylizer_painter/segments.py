"""Stored form of a painted segment of a clip: frames, state from which the next segment continues, and preview."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import NamedTuple

_LENGTH = struct.Struct(">I")
_MAGIC = b"stylizer segment 2\n"
_DIGEST = hashlib.sha256().digest_size


class InvalidSegment(ValueError):
    """A stored segment is damaged, of another version, or of other frames of the clip."""


class StoredSegment(NamedTuple):
    """A painted segment.

    Attributes:
        start: First frame.
        stop: Frame after the last one.
        data: The painted frames; see `stylizer.clips.PaintedSegment`.
        state: What the next segment needs.
        preview: A small JPEG of its last frame.
        seconds: Painting time.
    """

    start: int
    stop: int
    data: bytes
    state: bytes
    preview: bytes
    seconds: float

    def pack(self) -> bytes:
        """Return the segment as one file, with a digest."""
        parts = (self.data, self.state, self.preview)
        lengths = [len(part) for part in parts]
        head = json.dumps({"frames": (self.start, self.stop), "seconds": self.seconds, "lengths": lengths}).encode()
        body = b"".join((_LENGTH.pack(len(head)), head, *parts))
        return _MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def unpack(cls, file: bytes, start: int, stop: int) -> StoredSegment:
        """Parse a file written by `pack`.

        Raises:
            InvalidSegment: The file is damaged, or not the segment [start, stop).
        """
        at = len(_MAGIC) + _DIGEST
        if not file.startswith(_MAGIC) or hashlib.sha256(file[at:]).digest() != file[len(_MAGIC) : at]:
            raise InvalidSegment("the segment is damaged, or of another version")
        (length,) = _LENGTH.unpack_from(file, at)
        at += _LENGTH.size
        head = json.loads(file[at : at + length])
        if head["frames"] != [start, stop]:
            raise InvalidSegment(f"the segment has the frames {head['frames']}, not {start} to {stop}")
        at += length
        parts = []
        for size in head["lengths"]:
            parts.append(file[at : at + size])
            at += size
        data, state, preview = parts
        return cls(start, stop, data, state, preview, head["seconds"])
