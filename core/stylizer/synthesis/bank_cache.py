"""The banks of a style at several scales, of which those of the styles painted last are kept."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

import torch
from torch import Tensor

from stylizer.synthesis.pyramid import resize
from stylizer.synthesis.style_bank import Encoding, StyleBank

MAX_STYLE_SIDE = 4096  # pixels; larger styles are reduced to it
KEPT = 32  # banks: a handful of styles at four scales or five
MAX_KEPT_PIXELS = 2**20  # of a style; banks of larger ones are made anew, a bank takes about 30 bytes a pixel

_kept: OrderedDict[tuple[bytes, torch.Size, tuple[int, int], torch.device], StyleBank] = OrderedDict()
_lock = Lock()


class ScaledStyle:
    """A style's picture (1, 3, h, w) and the banks of it."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        # Of the floats: recolored pictures can differ by less than a byte, and each must be painted from its own bank.
        self._digest = blake2b(picture.cpu().numpy().tobytes(), digest_size=16).digest()

    def bank(self, side: float, encoding: Encoding | None = None) -> StyleBank:
        """The bank of the picture reduced to a long side of `side` pixels, if it is larger.

        Args:
            side: At least 1.
            encoding: To describe cells by, of the same style at another scale; without it one is fitted, and the bank
                is kept for the next painting.
        """
        height, width = self.picture.shape[2:]
        scale = min(side, MAX_STYLE_SIDE, max(height, width)) / max(height, width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        if encoding is not None or size[0] * size[1] > MAX_KEPT_PIXELS:
            return StyleBank.of(resize(self.picture[0], size)[None], encoding)
        key = (self._digest, self.picture.shape, size, self.picture.device)
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
        bank = StyleBank.of(resize(self.picture[0], size)[None])
        with _lock:
            _kept[key] = bank
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        return bank
