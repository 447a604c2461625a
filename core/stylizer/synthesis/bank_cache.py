"""Style banks at several scales, with a process-wide LRU cache."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock

import torch
from torch import Tensor

from stylizer.synthesis.pyramid import resize, size_within
from stylizer.synthesis.style_bank import Encoding, StyleBank
from stylizer.tensors import spatial_size

MAX_BANK_SIDE = 4096  # long side in pixels to which larger styles are reduced
MAX_CACHED_BANK_PIXELS = 2**20  # pixels of the largest bank that is cached
# Pixels of all cached banks, at 20 to 30 bytes each: four styles at 1,024 pixels, or some ten at 512.
CACHE_PIXELS = 4 * MAX_CACHED_BANK_PIXELS

_Key = tuple[bytes, torch.Size, tuple[int, int], torch.device, Encoding | None]
_cache: OrderedDict[_Key, StyleBank] = OrderedDict()
_lock = Lock()


class ScaledStyle:
    """A style's picture (1, 3, h, w), as a source of banks at any scale."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        # Of floats, not of bytes: recolored pictures can differ by less than a byte, and each needs its own bank.
        self._digest = blake2b(picture.cpu().numpy().tobytes(), digest_size=16).digest()

    def bank(
        self, side: float, coarser: StyleBank | None = None, *, on_tile: Callable[[], None] | None = None
    ) -> StyleBank:
        """Return the bank of the picture, reduced to a long side of at most `side` pixels.

        Args:
            side: At least 1.
            coarser: Bank of the same style at half the scale, whose encoding is reused; returned itself if the picture
                has no larger size.
            on_tile: See `StyleBank.build`.
        """
        size = size_within(spatial_size(self.picture), min(side, MAX_BANK_SIDE))
        if coarser is not None and coarser.size == size:
            return coarser
        encoding = None if coarser is None else coarser.encoding
        key = (self._digest, self.picture.shape, size, self.picture.device, encoding)
        with _lock:
            if key in _cache:
                _cache.move_to_end(key)
                return _cache[key]
        bank = StyleBank.build(resize(self.picture[0], size)[None], encoding, on_tile=on_tile)
        if math.prod(size) > MAX_CACHED_BANK_PIXELS:
            return bank
        with _lock:
            bank = _cache.setdefault(key, bank)  # another thread may have built it meanwhile
            while sum(math.prod(cached_size) for _, _, cached_size, *_ in _cache) > CACHE_PIXELS:
                _cache.popitem(last=False)
        return bank
