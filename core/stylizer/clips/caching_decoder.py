"""Cache of decoded styles and masks, which all frames of a clip share."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylizer.clips.info import ClipInfo
from stylizer.images import Decoder, ImageSource, Limits, Picture
from stylizer.options import KeepMetadata, Size

Bytes = npt.NDArray[np.uint8]


class CachingDecoder:
    """Decoder that decodes styles and masks once per clip, and passes frames through.

    Masks have the size of the clip's frames and are resized to the size of the painting.
    """

    def __init__(self, decoder: Decoder, info: ClipInfo) -> None:
        """Cache what `decoder` decodes for the clip described by `info`."""
        self._decoder, self._shape = decoder, (info.height, info.width)
        # Each with its source, kept alive so that its id is not reused.
        self._pictures: dict[object, tuple[object, Picture]] = {}
        self._masks: dict[object, tuple[object, Bytes]] = {}

    def decode(
        self,
        source: ImageSource,
        *,
        limits: Limits,
        field: str,
        painted_size: Size | None = None,  # noqa: ARG002 - frames are not reduced
        keep_metadata: KeepMetadata = "none",  # noqa: ARG002 - clips keep none
    ) -> Picture:
        """Decode a picture; see `stylizer.images.decode`."""
        if field == "content" and isinstance(source, np.ndarray):
            return Picture(source.astype(np.uint8, copy=False), None, "memory")
        key = _key(source)
        if key not in self._pictures:
            self._pictures[key] = source, self._decoder.decode(source, limits=limits, field=field)
        return self._pictures[key][1]

    def decode_mask(self, source: ImageSource, *, shape: tuple[int, int], limits: Limits, field: str) -> Bytes:
        """Decode a mask; see `stylizer.images.decode_mask`."""
        key = _key(source)
        if key not in self._masks:
            mask = self._decoder.decode_mask(source, shape=self._shape, limits=limits, field=field)
            resized = Image.fromarray(mask).resize(shape[::-1], Image.Resampling.BILINEAR)
            self._masks[key] = source, np.asarray(resized)
        return self._masks[key][1]


def _key(source: ImageSource) -> object:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else id(source)
