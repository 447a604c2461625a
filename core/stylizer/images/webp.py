"""Sizes in the first chunk of a WebP file (RFC 9649)."""

from __future__ import annotations

import struct


def chunk_size(name: bytes, data: bytes, at: int) -> tuple[int, int]:
    """Return (width, height) from a VP8, VP8L or VP8X chunk whose contents begin at an offset.

    Raises:
        ValueError: Another chunk, or another signature.
        struct.error: The file ends before the size.
    """
    if name == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<4xHBHB", data, at)
        return 1 + (high_width << 16 | low_width), 1 + (high_height << 16 | low_height)
    if name == b"VP8 ":
        signature, width, height = struct.unpack_from("<3x3sHH", data, at)
        if signature == b"\x9d\x01\x2a":
            return width & 0x3FFF, height & 0x3FFF
    elif name == b"VP8L":
        code, bits = struct.unpack_from("<BI", data, at)
        if code == 0x2F:
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise ValueError("its first chunk holds no size")
