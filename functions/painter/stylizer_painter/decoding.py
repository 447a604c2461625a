"""Image decoding in a sandbox: a malicious image that crashes or stalls a decoder does not affect the painter.

The painter decodes images with `SANDBOXED`, which runs the core's functions in a fork (`stylizer_service.sandbox`) that
has never loaded torch, the stores or their credentials.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from stylizer import errors, images
from stylizer.images import ImageSource, Limits, Picture
from stylizer.images.jpeg_reduction import MULTISCAN_SHARE
from stylizer.images.limits import noun
from stylizer.images.metadata import Metadata
from stylizer.images.sources import in_memory, read
from stylizer.options import KeepMetadata, Size
from stylizer_painter.sandbox_errors import run, to_answer
from stylizer_service.sandbox.sandbox import ResourceLimits, Sandbox

with suppress(ImportError):
    import pillow_heif  # noqa: F401 - imported before the zygote forks, or every fork that reads a HEIC would import it

SECONDS = 120
"""Wall-clock limit for decoding one image, however busy the machine is."""
CPU_SECONDS = 20
"""CPU time limit. The slowest accepted image, an AVIF of 50 megapixels with alpha, needs 3 s."""
_BYTES_PER_PIXEL = 40  # TIFF with 32 bits per sample needs 24, AVIF with alpha 18, JPEG 10
_JPEG_BYTES_PER_PIXEL = 10
_COEFFICIENT_BYTES_PER_PIXEL = 8  # of a JPEG with several scans: 2 bytes for each of four components
_OVERHEAD = 256 * 2**20  # thread stacks, tables, profiles


def resource_limits(limits: Limits) -> ResourceLimits:
    """Return the resource limits for decoding an image within `limits`."""
    several_scans = limits.max_jpeg_pixels // MULTISCAN_SHARE
    pixels = max(
        _BYTES_PER_PIXEL * limits.max_pixels,
        _JPEG_BYTES_PER_PIXEL * limits.max_pixels + _COEFFICIENT_BYTES_PER_PIXEL * several_scans,
    )
    memory = pixels + 3 * limits.max_bytes + _OVERHEAD
    return ResourceLimits(memory=memory, cpu_seconds=CPU_SECONDS, seconds=SECONDS, body=4 * limits.max_pixels)


def work(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
    """Decode in the fork; return the image's metadata and pixels, or the error."""
    limits, field = Limits(**request["limits"]), request["field"]
    try:
        if "shape" in request:
            mask = images.decode_mask(data, shape=tuple(request["shape"]), limits=limits, field=field)
            return {"shape": mask.shape}, mask
        picture = images.decode(data, limits=limits, field=field, **request["options"])
    except errors.ImageError as error:
        return to_answer(error)
    rgb, alpha = picture.rgb, picture.alpha
    planes = rgb if alpha is None else np.concatenate([rgb.ravel(), alpha.ravel()])
    answer = {"shape": rgb.shape[:2], "has_alpha": alpha is not None, "format": picture.format}
    answer["metadata"] = picture.metadata and picture.metadata.to_json()
    return answer | {"reduced_from": picture.reduced_from}, planes


class SandboxedDecoder:
    """A `stylizer.images.Decoder` that decodes in forks."""

    def __init__(self) -> None:
        self._sandbox = Sandbox("stylizer_painter.decoding:work")

    def start(self) -> None:
        """Start the sandbox in the background, so that the first image does not wait for it."""
        self._sandbox.start()

    def close(self) -> None:
        """Stop the sandbox server."""
        self._sandbox.close()

    def decode(
        self,
        source: ImageSource,
        *,
        limits: Limits,
        field: str,
        painted_size: Size | None = None,
        keep_metadata: KeepMetadata = "none",
    ) -> Picture:
        """Decode an image; see `stylizer.images.decode`."""
        if in_memory(source, field) is not None:
            return images.decode(
                source, limits=limits, field=field, painted_size=painted_size, keep_metadata=keep_metadata
            )
        options = {"painted_size": painted_size, "keep_metadata": keep_metadata}
        answer, planes = self._run(source, limits, field, options=options)
        height, width = answer["shape"]
        rgb = np.frombuffer(planes, np.uint8, 3 * height * width).reshape(height, width, 3)
        alpha = None
        if answer["has_alpha"]:
            alpha = np.frombuffer(planes, np.uint8, height * width, rgb.size).reshape(height, width)
        # Checked again against the allowlist: the fork may be compromised.
        metadata = Metadata.from_json(answer["metadata"]) if answer["metadata"] else None
        full = answer["reduced_from"]
        reduced_from = (int(full[0]), int(full[1])) if full else None
        return Picture(rgb, alpha, str(answer["format"]), metadata, reduced_from)

    def decode_mask(
        self, source: ImageSource, *, shape: tuple[int, int], limits: Limits, field: str
    ) -> npt.NDArray[np.uint8]:
        """Decode a mask; see `stylizer.images.decode_mask`."""
        if in_memory(source, field) is not None:
            return images.decode_mask(source, shape=shape, limits=limits, field=field)
        _, plane = self._run(source, limits, field, shape=shape)
        return np.frombuffer(plane, np.uint8).reshape(shape)

    def _run(self, source: Any, limits: Limits, field: str, **fields: object) -> tuple[dict[str, Any], bytearray]:
        data = read(source, limits, field)
        request = {"limits": asdict(limits), "field": field, **fields}
        return run(self._sandbox, request, data, resource_limits(limits), what=noun(field), field=field)


SANDBOXED = SandboxedDecoder()
"""Shared decoder of this process."""
atexit.register(SANDBOXED.close)
