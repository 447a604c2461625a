"""Image size in the first chunk of a WebP file (RFC 9649)."""

from __future__ import annotations

import struct


def read_chunk_size(name: bytes, data: bytes, at: int) -> tuple[int, int]:
    """Return (width, height) from the VP8, VP8L or VP8X chunk whose payload starts at offset `at`.

    Raises:
        ValueError: The chunk is of another type, or its signature is wrong.
        struct.error: The file is truncated before the size.
    """
    if name == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<4xHBHB", data, at)
        return 1 + (high_width << 16 | low_width), 1 + (high_height << 16 | low_height)
    if name == b"VP8 ":
        signature, width, height = struct.unpack_from("<3x3sHH", data, at)
        if signature == b"\x9d\x01\x2a":
            return width & 0x3FFF, height & 0x3FFF
    elif name == b"VP8L":
        signature, bits = struct.unpack_from("<BI", data, at)
        if signature == 0x2F:
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise ValueError("no image size in the first chunk")
