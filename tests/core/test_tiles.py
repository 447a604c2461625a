from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from stylizer.tiles import MARGIN, REACH, mirrored_indices, tiles

SHAPES = [(64, 64), (8, 64), (63, 1001), (1001, 63), (300, 515), (1, 40)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_every_pixel_belongs_to_one_tile(height: int, width: int) -> None:
    owners = torch.zeros(1, 1, height, width)
    for tile in tiles((height, width), 128):
        tile.view(owners).add_(1)
        assert max(tile.bottom - tile.top, tile.right - tile.left) <= 128
    assert (owners == 1).all()


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_tile_sees_its_reach_within_the_margin(height: int, width: int) -> None:
    for tile in tiles((height, width), 128):
        top, left, bottom, right = tile.context
        assert all(side % 8 == 0 for side in tile.context[:2])
        assert (bottom - top) % 8 == (right - left) % 8 == 0
        assert top == max(-MARGIN, tile.top - REACH)
        assert left == max(-MARGIN, tile.left - REACH)
        assert min(height + MARGIN, tile.bottom + REACH) <= bottom < height + MARGIN + REACH
        assert min(width + MARGIN, tile.right + REACH) <= right < width + MARGIN + REACH


def test_beyond_its_border_a_picture_is_its_own_mirror_image() -> None:
    image = torch.rand(1, 3, 72, 48)
    (tile,) = tiles((72, 48), 128)
    expected = functional.pad(image, (MARGIN, MARGIN, MARGIN, MARGIN), mode="reflect")
    assert torch.equal(tile.extract(image), expected)
    assert torch.equal(tile.crop(tile.extract(image)), image)


def test_picture_smaller_than_its_margin_is_mirrored() -> None:
    for height, width in ((1, 40), (5, 3)):
        image = torch.rand(1, 3, height, width)
        (tile,) = tiles((height, width), 128)
        assert torch.equal(tile.crop(tile.extract(image)), image)


@pytest.mark.parametrize("size", [(64, 96), (61, 83), (5, 90)])
def test_resampled_by_tiles_an_image_equals_its_enlargement(size: tuple[int, int]) -> None:
    small = torch.rand(1, 3, -(-size[0] // 2), -(-size[1] // 2))
    enlarged = functional.interpolate(small, size, mode="bilinear", align_corners=False)
    for tile in tiles(size, 32, reach=16):
        seen = tile.resample(small, size)
        assert seen.shape[2:] == (tile.context[2] - tile.context[0], tile.context[3] - tile.context[1])
        torch.testing.assert_close(seen, tile.extract(enlarged), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_mirrored_indices_step_to_and_fro(length: int) -> None:
    def reflected(index: int) -> int:
        while not 0 <= index < length:
            index = abs(index) if index < 0 else 2 * (length - 1) - index
        return index

    indices = mirrored_indices(-7, 13, length).tolist()
    assert indices == [0 if length == 1 else reflected(index) for index in range(-7, 13)]
