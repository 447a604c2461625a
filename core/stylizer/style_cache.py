"""Cached statistics of a style at several sizes, with a sample of its colors: one small file a style.

The picture cannot be recovered from it. Statistics are of one encoder's features and are ignored by any other encoder.
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

PALETTE = "palette"


@cache
def encoder_version() -> str:
    """Return the SHA-256 of the shipped encoder's weights, in hexadecimal."""
    return hashlib.sha256(compact.WEIGHTS.read_bytes()).hexdigest()


def save(path: Path, by_side: Mapping[int, StyleStatistics], palette: Tensor) -> None:
    """Write the statistics of a style.

    Args:
        path: Of the file.
        by_side: Statistics by the long side in pixels at which they were computed.
        palette: Sample of the colors in proportion to their area, (N, 3) in sRGB, uint8.
    """
    state = {
        f"{side}.{key}": value for side, statistics in by_side.items() for key, value in statistics.packed().items()
    }
    save_file({**state, PALETTE: palette.contiguous()}, path, {"encoder": encoder_version()})
    path.chmod(0o644)  # safetensors writes files that only their owner can read


def read(path: Path, device: torch.device = CPU) -> dict[int, StyleStatistics]:
    """Read the statistics in a file by long side in pixels; empty if they are of another encoder."""
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("encoder") != encoder_version():
            return {}
        names = [name for name in file.keys() if name != PALETTE]  # noqa: SIM118 (it is no mapping)
        states: dict[int, dict[str, Tensor]] = {}
        for name in names:
            side, _, key = name.partition(".")
            states.setdefault(int(side), {})[key] = file.get_tensor(name)
    return {side: _on(StyleStatistics.unpacked(states[side]), device) for side in sorted(states)}


def read_palette(path: Path) -> Tensor:
    """Read the colors in a file, (N, 3) in sRGB, uint8."""
    with safe_open(path, "pt") as file:
        palette: Tensor = file.get_tensor(PALETTE)
    return palette


def statistics_at(
    path: Path, side: float, *, finest: float = math.inf, device: torch.device = CPU
) -> StyleStatistics | None:
    """Interpolate the cached statistics of a style to a long side of `side` pixels.

    Args:
        path: Of the file.
        side: In pixels.
        finest: Largest side in pixels to which a style is enlarged whose picture is only a likeness of the work: beyond
            it, the finest cached strokes paint better than enlarged ones.
        device: Of the result.

    Returns:
        The statistics, or None if `side` is outside the cached sizes or the file is of another encoder.
    """
    by_side = read(path, device)
    if len(by_side) > 1:  # with a single size the picture is the work itself and serves all others
        side = min(side, finest)
    below = max((known for known in by_side if known <= side), default=None)
    above = min((known for known in by_side if known >= side), default=None)
    if below is None or above is None:
        return None
    amount = math.log2(side / below) / math.log2(above / below) if below < above else 0.0
    return by_side[below].toward(by_side[above], amount)


def _on(statistics: StyleStatistics, device: torch.device) -> StyleStatistics:
    return StyleStatistics(
        tuple(Statistics(level.mean.to(device), level.covariance.to(device)) for level in statistics.levels)
    )
