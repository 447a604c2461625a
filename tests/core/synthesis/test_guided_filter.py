from __future__ import annotations

import torch
from numerics import noise

from stylizer.synthesis.guided_filter import LocalColorMap
from stylizer.tiles import tiles


def test_windows_agree_with_least_squares() -> None:
    guide, target, radius, epsilon = noise(1, 3, 9, 9), noise(1, 3, 9, 9, seed=1), 4, 1e-2
    color_map = LocalColorMap.fit(guide, target, radius=radius, epsilon=epsilon)
    repeated = LocalColorMap.fit(guide, target, radius=100, epsilon=epsilon)

    flat, wanted = guide[0].flatten(1), target[0].flatten(1)
    centered = flat - flat.mean(1, keepdim=True)
    covariance = centered @ centered.t() / 81 + epsilon * torch.eye(3)
    expected = (wanted - wanted.mean(1, keepdim=True)) @ centered.t() / 81 @ torch.linalg.inv(covariance)

    # The window of the middle pixel covers the picture; the fitted matrices are then averaged over all windows.
    whole = LocalColorMap.fit(guide.repeat(1, 1, 5, 5), target.repeat(1, 1, 5, 5), radius=radius, epsilon=epsilon)
    torch.testing.assert_close(whole.matrix[0, :, 22, 22].view(3, 3), expected, atol=2e-3, rtol=1e-2)
    assert color_map.matrix.shape == repeated.matrix.shape == (1, 9, 9, 9)


def test_noise_below_epsilon_is_not_amplified() -> None:
    guide = 0.5 + 0.005 * (noise(1, 3, 40, 40) - 0.5)
    target = ((guide - 0.5) * 50 + 0.5).clamp(0, 1)

    mapped = LocalColorMap.fit(guide, target, radius=6, epsilon=1e-3)(guide)

    assert mapped.std() < 0.2 * target.std()


def test_tiles_match_the_whole_picture() -> None:
    guide, target = noise(1, 3, 20, 26), noise(1, 3, 20, 26, seed=1)
    color_map = LocalColorMap.fit(guide, target, radius=3, epsilon=1e-3)
    picture = noise(1, 3, 61, 83, seed=2)

    (whole,) = tiles((61, 83), 96, reach=0)
    expected = whole.crop(color_map.map_tile(picture, whole))
    for tile in tiles((61, 83), 24, reach=0):
        torch.testing.assert_close(tile.crop(color_map.map_tile(picture, tile)), tile.view(expected))
