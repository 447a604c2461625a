"""Cache files of style statistics at several sizes, with a sample of the colors: one small file per style.

The picture cannot be reconstructed from it. Files record the version of the encoder and are ignored by any other one.
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
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.tensors import CPU

PALETTE_KEY = "palette"


@cache
def encoder_version() -> str:
    """Return the SHA-256 of the shipped encoder's weights, in hexadecimal."""
    return hashlib.sha256(compact.WEIGHTS.read_bytes()).hexdigest()


def save(path: Path, by_side: Mapping[int, StyleStatistics], palette: Tensor) -> None:
    """Write the statistics of a style.

    Args:
        path: Path of the file.
        by_side: Statistics by the long side in pixels at which they were computed.
        palette: Sample of the colors in proportion to their area, (N, 3) in sRGB, uint8.
    """
    state = {f"{side}.{key}": value for side, statistics in by_side.items() for key, value in statistics.pack().items()}
    save_file({**state, PALETTE_KEY: palette.contiguous()}, path, {"encoder": encoder_version()})
    path.chmod(0o644)  # safetensors creates files with mode 0600


def read(path: Path, device: torch.device = CPU) -> dict[int, StyleStatistics]:
    """Read the statistics in a file by long side in pixels; empty if they are from another encoder."""
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("encoder") != encoder_version():
            return {}
        names = [name for name in file.keys() if name != PALETTE_KEY]  # noqa: SIM118 (not a mapping)
        states: dict[int, dict[str, Tensor]] = {}
        for name in names:
            side, _, key = name.partition(".")
            states.setdefault(int(side), {})[key] = file.get_tensor(name)
    return {side: _to_device(StyleStatistics.unpack(states[side]), device) for side in sorted(states)}


def read_palette(path: Path) -> Tensor:
    """Read the colors in a file, (N, 3) in sRGB, uint8."""
    with safe_open(path, "pt") as file:
        palette: Tensor = file.get_tensor(PALETTE_KEY)
    return palette


def statistics_at(
    path: Path, side: float, *, finest: float = math.inf, device: torch.device = CPU
) -> StyleStatistics | None:
    """Interpolate the cached statistics of a style to a long side of `side` pixels.

    Args:
        path: Path of the file.
        side: Long side in pixels.
        finest: Cap of `side` for files with several sizes, whose style's picture is synthesized: beyond it, the finest
            cached statistics give better strokes than an upscaled picture.
        device: Device of the result.

    Returns:
        The statistics, or None if `side` is outside the cached sizes or the file is from another encoder.
    """
    by_side = read(path, device)
    if len(by_side) > 1:  # with a single size the picture is the original, which serves all others
        side = min(side, finest)
    below = max((known for known in by_side if known <= side), default=None)
    above = min((known for known in by_side if known >= side), default=None)
    if below is None or above is None:
        return None
    amount = math.log2(side / below) / math.log2(above / below) if below < above else 0.0
    return by_side[below].lerp(by_side[above], amount)


def _to_device(statistics: StyleStatistics, device: torch.device) -> StyleStatistics:
    return StyleStatistics(
        tuple(Statistics(level.mean.to(device), level.covariance.to(device)) for level in statistics.levels)
    )
