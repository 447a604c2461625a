"""What is known of a style without its picture: how a work looks at some sizes, and its colors.

One file a style, small enough to ship. It holds statistics of features, from which no picture can be had back; so it
belongs to the encoder that saw them, and says nothing to any other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylizer.features import compact
from stylizer.features.statistics import Statistics
from stylizer.feedforward.looks import Look
from stylizer.tensors import CPU

PALETTE = "palette"


@cache
def encoder_version() -> str:
    """Which encoder is shipped: the SHA-256 of its weights, in hexadecimal digits."""
    return hashlib.sha256(compact.WEIGHTS.read_bytes()).hexdigest()


def save(path: Path, looks: Mapping[int, Look], palette: Tensor) -> None:
    """Write what a work looks like.

    Args:
        path: Of the file.
        looks: By the long side that the work was seen at, in pixels.
        palette: Some of its colors, as many of each as there is of it, (N, 3) in sRGB, uint8.
    """
    state = {f"{side}.{key}": value for side, look in looks.items() for key, value in look.packed().items()}
    save_file({**state, PALETTE: palette.contiguous()}, path, {"encoder": encoder_version()})
    path.chmod(0o644)  # by itself safetensors lets nobody but its owner read it


def read(path: Path, device: torch.device = CPU) -> dict[int, Look]:
    """All looks in a file by the long sides that they are of; none where another encoder saw them."""
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("encoder") != encoder_version():
            return {}
        names = [name for name in file.keys() if name != PALETTE]  # noqa: SIM118 (it is no mapping)
        states: dict[int, dict[str, Tensor]] = {}
        for name in names:
            side, _, key = name.partition(".")
            states.setdefault(int(side), {})[key] = file.get_tensor(name)
    return {side: _on(Look.unpacked(states[side]), device) for side in sorted(states)}


def read_palette(path: Path) -> Tensor:
    """The colors in a file, (N, 3) in sRGB, uint8."""
    with safe_open(path, "pt") as file:
        palette: Tensor = file.get_tensor(PALETTE)
    return palette


def look_at(path: Path, side: float, *, finest: float = math.inf, device: torch.device = CPU) -> Look | None:
    """What a work looks like at a long side of so many pixels, as stored in a file.

    Between two sizes that are stored, it is what is between their looks. None where the file says nothing of that size,
    or where another encoder saw the work: then its picture has to be looked at.

    Args:
        path: Of the file.
        side: In pixels.
        finest: The largest side, in pixels, to which a work is enlarged of which no more is left than such a file has
            room for: beyond it, strokes as fine as are known paint better than enlarged ones.
        device: Where the look shall be.
    """
    looks = read(path, device)
    if len(looks) > 1:  # where there is one, the picture is at hand for all other sizes
        side = min(side, finest)
    below = max((known for known in looks if known <= side), default=None)
    above = min((known for known in looks if known >= side), default=None)
    if below is None or above is None:
        return None
    amount = math.log2(side / below) / math.log2(above / below) if below < above else 0.0
    return looks[below].toward(looks[above], amount)


def _on(look: Look, device: torch.device) -> Look:
    return Look(tuple(Statistics(level.mean.to(device), level.covariance.to(device)) for level in look.levels))
