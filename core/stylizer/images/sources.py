"""Image sources: files in memory, on disk or open, and pixels in memory."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylizer.errors import EmptyImage, ImageTooLarge, OptionError, UnreadableImage
from stylizer.images.limits import Limits, noun

Pixels = npt.NDArray[np.generic]
ImageSource = bytes | str | os.PathLike[str] | BinaryIO | Image.Image | Pixels
"""An image as encoded bytes, a file path, an open binary file, or in memory: a Pillow image or an array (H, W) or (H,
W, C) of gray, gray and alpha, RGB or RGBA, uint8 or floats from 0 to 1.
"""

_ALLOWED = "bytes, a path, an open binary file, a Pillow image, or an array (H, W[, C]) of uint8 or floats from 0 to 1"
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def in_memory(source: object, field: str) -> Image.Image | None:
    """Return an in-memory source as a Pillow image; None for a file.

    Raises:
        OptionError: Neither an image nor a file, or an array of the wrong shape, type or range.
    """
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, bytes | bytearray | memoryview | str | os.PathLike) or hasattr(source, "read"):
        return None
    if hasattr(source, "__array__") and not isinstance(source, np.generic):
        return _from_array(source, field)
    raise _refused(f"of type {type(source).__name__}", field)


def _from_array(source: Any, field: str) -> Image.Image:
    try:
        array = np.asarray(source)
    except Exception as error:  # any library may raise: a tensor on another device, or one that requires grad
        raise _refused(f"a {type(source).__name__} that cannot be read as an array", field) from error
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in _MODES or 0 in array.shape:
        raise _refused(f"an array of shape {tuple(source.shape)}", field)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also catches NaN
            raise _refused(f"an array of floats from {low:g} to {high:g}", field)
        array = np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise _refused(f"an array of {array.dtype}", field)
    plain = np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array)
    if array.shape[2] != 2:
        return Image.fromarray(plain)
    return Image.merge("LA", [Image.fromarray(np.ascontiguousarray(plain[..., channel])) for channel in range(2)])


def _refused(what: str, field: str) -> OptionError:
    return OptionError(f"{noun(field)} is {what}; it must be {_ALLOWED}", field=field, allowed=_ALLOWED)


def read(source: bytes | str | os.PathLike[str] | BinaryIO, limits: Limits, field: str) -> bytes:
    """Return the bytes of an image within the limits; raise an ImageError if there are none, or too many."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        size = f"{len(data):,} bytes"
    else:
        data = _read_file(source, limits, field)
        size = f"more than {limits.max_bytes:,} bytes"
    if not data:
        raise EmptyImage(f"{noun(field, limits)} is empty: it has 0 bytes", field=field, allowed="at least 1 byte")
    if len(data) > limits.max_bytes:
        allowed = f"at most {limits.max_bytes:,} bytes"
        raise ImageTooLarge(f"{noun(field, limits)} has {size}; allowed: {allowed}", field=field, allowed=allowed)
    return data


def _read_file(source: str | os.PathLike[str] | BinaryIO, limits: Limits, field: str) -> bytes:
    """Read at most one byte more than allowed, so that an endless file cannot exhaust memory."""
    most = limits.max_bytes + 1
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:  # noqa: PTH123 - Path() would not take every PathLike
                return _read_up_to(file, most)
        return _read_up_to(source, most)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        which = f" {os.fspath(source)!r}" if isinstance(source, str | os.PathLike) else ""
        raise UnreadableImage(f"{noun(field, limits)}{which} cannot be read: {reason}", field=field) from error


def _read_up_to(file: BinaryIO, most: int) -> bytes:
    buffer = io.BytesIO()
    while buffer.tell() < most and (part := file.read(min(2**20, most - buffer.tell()))):
        buffer.write(part)
    return buffer.getvalue()
