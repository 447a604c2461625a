"""Image decoding, validation and encoding.

Input may be anything: a phone photo, a print scan, a hostile file. Output is always upright 8-bit sRGB with separate
alpha, or one `ImageError` that says what is wrong. Size limits are checked on the header, before any pixel is decoded.
Only the decoders named in `reading` see the data. Pillow's global registry is not used, and its global settings are
treated as if they had their defaults (`pillow_settings`); everything here is thread-safe.

NumPy and the decoders are imported lazily: the service validates files by `limits`, `signatures` and `complexity`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stylizer.images.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from stylizer.images.decoding import Decoder, Picture, decode, decode_mask
    from stylizer.images.encoding import encode
    from stylizer.images.sources import ImageSource

__all__ = ["DEFAULT_LIMITS", "Decoder", "ImageSource", "Limits", "Picture", "decode", "decode_mask", "encode"]

_MODULES = {
    "Decoder": "decoding",
    "ImageSource": "sources",
    "Picture": "decoding",
    "decode": "decoding",
    "decode_mask": "decoding",
    "encode": "encoding",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value  # cached for later lookups
    return value
