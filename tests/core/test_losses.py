from __future__ import annotations

import torch
from torch import Tensor

from stylizer.features.statistics import Statistics
from stylizer.losses import style_loss, style_scales


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_style_loss_is_weighted_mean_of_relative_squared_errors() -> None:
    taps, styles = ([_noise(1, c, 4, 5, seed=c + s) for c in (2, 3)] for s in (0, 7))
    ours, wanted = ([Statistics.from_features(tap) for tap in group] for group in (taps, styles))
    scales = [style_scales(want) for want in wanted]
    by_hand = 0.0
    for tap, style, weight in zip(taps, styles, (1.0, 3.0), strict=True):
        x, y = tap[0].flatten(1), style[0].flatten(1)
        of_mean = ((x.mean(1) - y.mean(1)) ** 2).sum() / (y.mean(1) ** 2).sum()
        cx, cy = torch.cov(x, correction=0), torch.cov(y, correction=0)
        least = (0.03 * (y.mean(1) ** 2).sum()) ** 2
        by_hand += weight * float(of_mean + ((cx - cy) ** 2).sum() / ((cy**2).sum() + least))
    torch.testing.assert_close(float(style_loss(ours, wanted, scales, (1.0, 3.0))), by_hand / 4)


def test_style_loss_is_0_at_the_style_and_finite_for_one_color() -> None:
    photo, flat = Statistics.from_features(_noise(1, 3, 4, 5)), Statistics.from_features(torch.full((1, 3, 4, 5), 0.5))
    assert float(style_loss([photo], [photo], [style_scales(photo)], [1.0])) == 0
    toward_flat = float(style_loss([photo], [flat], [style_scales(flat)], [1.0]))
    assert 0.1 < toward_flat < 100
