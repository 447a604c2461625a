"""The banks of a style at several scales, of which those of the styles painted last are kept."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock

import torch
from torch import Tensor

from stylizer.synthesis.pyramid import resize, size_within
from stylizer.synthesis.style_bank import StyleBank

MAX_BANK_SIDE = 4096  # pixels; larger styles are reduced to it
MAX_KEPT_PIXELS = 2**20  # of a bank; larger ones are made for each painting
KEPT_PIXELS = 4 * MAX_KEPT_PIXELS  # of all banks, at about 30 bytes each: ten styles or so at 512 pixels

_kept: OrderedDict[tuple[bytes, torch.Size, tuple[int, int], torch.device], StyleBank] = OrderedDict()
_lock = Lock()


class ScaledStyle:
    """A style's picture (1, 3, h, w) and the banks of it."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        # Of the floats: recolored pictures can differ by less than a byte, and each must be painted from its own bank.
        self._digest = blake2b(picture.cpu().numpy().tobytes(), digest_size=16).digest()

    def bank(
        self, side: float, coarser: StyleBank | None = None, *, on_tile: Callable[[], None] | None = None
    ) -> StyleBank:
        """The bank of the picture reduced to a long side of `side` pixels, if it is larger.

        Args:
            side: At least 1.
            coarser: The bank of the same style at half the scale, to describe cells as it does. It is the bank itself
                where the style has no more detail to show. Without it the bank is kept for the next painting.
            on_tile: See `StyleBank.of`.
        """
        size = size_within(self.picture.shape[2], self.picture.shape[3], min(side, MAX_BANK_SIDE))
        if coarser is not None and coarser.size == size:
            return coarser
        if coarser is not None or size[0] * size[1] > MAX_KEPT_PIXELS:
            encoding = None if coarser is None else coarser.encoding
            return StyleBank.of(resize(self.picture[0], size)[None], encoding, on_tile=on_tile)
        key = (self._digest, self.picture.shape, size, self.picture.device)
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
        bank = StyleBank.of(resize(self.picture[0], size)[None], on_tile=on_tile)
        with _lock:
            _kept[key] = bank
            while sum(math.prod(kept) for _, _, kept, _ in _kept) > KEPT_PIXELS:
                _kept.popitem(last=False)
        return bank
