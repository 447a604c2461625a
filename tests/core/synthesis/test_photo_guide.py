"""The recolored photo: cut by tiles or whole, how far it goes toward the palette, and the contrast it keeps."""

from __future__ import annotations

import pytest
import torch
from numerics import noise
from torch import Tensor

from stylizer.color import Palette, to_oklab
from stylizer.synthesis.photo_guide import PhotoGuide
from stylizer.tiles import tiles


def _whole(guide: PhotoGuide, photo: Tensor) -> Tensor:
    (tile,) = tiles((photo.shape[2], photo.shape[3]), 8 * -(-max(photo.shape) // 8))
    return tile.crop(guide.recolor_tile(photo, tile))


def _narrow_palette() -> Palette:
    """Of a style of nearly one tone."""
    return Palette.from_image(0.6 + 0.02 * noise(3, 64, 64, seed=5))


def _lines() -> Tensor:
    """Dark lines of 2 pixels, 12 pixels apart, on light: (1, 3, 64, 96)."""
    return (0.85 - 0.6 * (torch.arange(64) % 12 < 2).float()).view(1, 1, -1, 1).expand(1, 3, 64, 96).clone()


@pytest.mark.parametrize("size", [(96, 128), (61, 83)])
def test_cut_by_tiles_it_equals_the_whole(size: tuple[int, int]) -> None:
    photo, mask = noise(1, 3, *size), noise(1, 1, *size, seed=1)
    half = torch.nn.functional.avg_pool2d(photo, 2)
    guide = PhotoGuide.estimate(half, mask[..., : half.shape[2], : half.shape[3]], [_narrow_palette()], 1.0)
    whole = _whole(guide, photo)
    assert whole.shape == photo.shape
    for tile in tiles(size, 32, reach=16):
        torch.testing.assert_close(tile.crop(guide.recolor_tile(photo, tile)), tile.view(whole), atol=1e-4, rtol=0)


def test_bytes_are_recolored_like_floats() -> None:
    photo = noise(1, 3, 40, 48).mul(255).round().to(torch.uint8)
    floats = photo.float() / 255
    guide = PhotoGuide.estimate(floats, torch.ones(1, 1, 40, 48), [_narrow_palette()], 1.0)
    torch.testing.assert_close(_whole(guide, photo), _whole(guide, floats))


def test_amount_goes_from_the_photo_to_the_palette() -> None:
    photo = 0.1 + 0.8 * noise(1, 3, 40, 48)
    palette = Palette.from_image(torch.tensor([0.8, 0.4, 0.3]).view(3, 1, 1) * (0.8 + 0.2 * noise(3, 64, 64, seed=5)))
    mask = torch.zeros(1, 1, 40, 48)
    guided = [_whole(PhotoGuide.estimate(photo, mask, [palette], amount), photo)[0] for amount in (0.0, 0.5, 1.0)]
    assert (guided[0] - photo[0]).abs().max() < 0.02
    distances = [float((to_oklab(one).mean((1, 2)) - palette.mean[:, 0]).norm()) for one in guided]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * distances[0]


def test_a_narrow_palette_keeps_contrast_under_the_mask() -> None:
    photo = _lines()
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., 48:] = 1
    guided = _whole(PhotoGuide.estimate(photo, mask, [_narrow_palette()], 1.0), photo)
    free, kept, before = (
        float(to_oklab(picture)[0, :, columns].std())
        for picture, columns in ((guided[0], slice(0, 40)), (guided[0], slice(56, 96)), (photo[0], slice(56, 96)))
    )
    assert free < 0.2 * before
    assert kept > 0.4 * before


def test_a_photo_of_one_color_stays_one_color() -> None:
    photo = torch.full((1, 3, 40, 48), 0.4)
    guided = _whole(PhotoGuide.estimate(photo, torch.ones(1, 1, 40, 48), [_narrow_palette()], 1.0), photo)
    assert guided.isfinite().all()
    assert guided[0].flatten(1).std(1).max() < 1e-3
