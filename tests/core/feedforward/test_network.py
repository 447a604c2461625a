"""The shipped network: whatever part of a picture it is shown, it paints the same there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylizer.compute import autocast_dtype
from stylizer.features.compact import load_encoder
from stylizer.feedforward import network
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.network import Network
from stylizer.tiles import STRIDE, tiles

TILE = 64
# Elsewhere bfloat16 is never painted in, and multiplying it takes oneDNN's reference code minutes.
in_bfloat16 = pytest.mark.skipif(autocast_dtype() != torch.bfloat16, reason="no bfloat16 in hardware")


def _photo(height: int = 136, width: int = 200) -> Tensor:
    """Hills under a sky, with something to see at every scale."""
    down, across = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    hill = (down > 0.5 + 0.2 * torch.sin(9 * across)).float()
    trees = hill * (torch.sin(90 * across) * torch.sin(70 * down) > 0.3).float()
    return torch.stack((0.3 + 0.4 * hill - 0.2 * trees, 0.6 - 0.2 * down, 0.9 - 0.6 * hill))[None]


def _checks() -> Tensor:
    down, across = torch.meshgrid(torch.arange(120), torch.arange(120), indexing="ij")
    check = ((down // 5 + across // 5) % 2).float()
    return torch.stack((check, 0.8 * check, 0.2 + 0.2 * check))[None]


def _paint(network: Network, photo: Tensor, side: int) -> Tensor:
    """The painting of `photo` in the style of the checks, by tiles of at most `side` pixels."""
    grain = Grain(0)
    size = photo.shape[2], photo.shape[3]
    whole = network.encode(photo, next(tiles(size, 1024)), grain)
    weights = network.decoder.modulate(network.photo_statistics(whole), network.style_statistics(_checks()))
    painting = torch.zeros_like(photo)
    for tile in tiles(size, side):
        tile.view(painting).copy_(network.decode(network.encode(photo, tile, grain), weights))
    return painting


@pytest.mark.parametrize("size", [(1, STRIDE), (3, 5)])
@torch.inference_mode()
def test_style_smaller_than_the_stride_is_continued(size: tuple[int, int]) -> None:
    color = torch.tensor([0.8, 0.4, 0.1]).view(1, 3, 1, 1)
    shipped = network.load()
    ours = Network(shipped.encoder, shipped.decoder, torch.float32)
    small, large = (ours.style_statistics(color.expand(1, 3, *each).contiguous()) for each in (size, (STRIDE, STRIDE)))
    for one, other in zip(small.levels, large.levels, strict=True):
        torch.testing.assert_close((one.mean, one.covariance), (other.mean, other.covariance))


@torch.inference_mode()
def test_float32_tiles_are_the_picture_painted_whole() -> None:
    difference = _tiled_and_whole(torch.float32)
    assert difference.max() < 1e-3  # a quarter of a step of 8 bits; sums in another order gave 1e-5
    assert difference.mean() < 1e-4


@in_bfloat16
@torch.inference_mode()
def test_bfloat16_tiles_show_no_seam() -> None:
    """Tiles are rounded otherwise than the whole, by other kernels; but no more at their borders than inside them."""
    difference = _tiled_and_whole(torch.bfloat16)
    near = torch.zeros_like(difference, dtype=torch.bool)
    for tile in tiles((difference.shape[2], difference.shape[3]), TILE):
        for row, column in ((tile.top, None), (None, tile.left)):
            place = row if column is None else column
            assert place is not None
            if place:
                border = slice(max(0, place - 2), place + 2)
                near[(..., border, slice(None)) if column is None else (..., border)] = True
    assert difference[near].mean() < 2 * difference[~near].mean() + 1e-4
    assert difference.mean() < 0.5 / 255  # half a step of 8 bits, which is all that is left of it in a file


def _tiled_and_whole(precision: torch.dtype) -> Tensor:
    """How far each value painted by tiles is from that of the picture painted whole."""
    shipped = network.load()
    ours = Network(shipped.encoder, shipped.decoder, precision)
    whole, tiled = _paint(ours, _photo(), 1024), _paint(ours, _photo(), TILE)
    assert (whole - _photo()).abs().mean() > 0.05
    return (whole - tiled).abs()


@in_bfloat16
@torch.inference_mode()
def test_bfloat16_paints_what_float32_paints() -> None:
    shipped = network.load()
    exact, quick = (
        _paint(Network(shipped.encoder, shipped.decoder, precision), _photo(), 1024)
        for precision in (torch.float32, torch.bfloat16)
    )
    assert (exact - quick).abs().mean() < 0.02


@torch.inference_mode()
def test_network_is_the_shipped_encoder_and_decoder() -> None:
    shipped = network.load()
    assert network.load() is shipped
    own = load_encoder()(_photo())
    for ours, theirs in zip(own, shipped.encoder(_photo()), strict=True):
        assert torch.equal(ours, theirs)
    parameters = [p for part in (shipped.encoder, shipped.decoder) for p in part.parameters()]
    assert sum(p.numel() for p in parameters) < 2_500_000
    assert not any(p.requires_grad for p in parameters)
