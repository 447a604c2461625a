"""The shipped network: whatever part of a picture it is shown, it paints the same there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylizer.features.compact import load_encoder
from stylizer.feedforward import network
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.network import Network
from stylizer.tiles import tiles


def _photo(height: int = 330, width: int = 410) -> Tensor:
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
    whole = network.see(photo, next(tiles(size, 1024)), grain)
    recipe = network.decoder.prepare(network.photo_look(whole), network.style_look(_checks()))
    painting = torch.zeros_like(photo)
    for tile in tiles(size, side):
        tile.of(painting).copy_(network.paint(network.see(photo, tile, grain), recipe))
    return painting


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.02)])
@torch.inference_mode()
def test_a_picture_painted_by_tiles_is_the_picture_painted_whole(precision: torch.dtype, tolerance: float) -> None:
    shipped = network.load()
    ours = Network(shipped.encoder, shipped.decoder, precision)
    whole, tiled = _paint(ours, _photo(), 1024), _paint(ours, _photo(), 64)
    assert (whole - _photo()).abs().mean() > 0.05
    assert (whole - tiled).abs().max() < tolerance
    assert (whole - tiled).abs().mean() < tolerance / 20


@torch.inference_mode()
def test_bfloat16_paints_what_float32_paints() -> None:
    shipped = network.load()
    exact, quick = (
        _paint(Network(shipped.encoder, shipped.decoder, precision), _photo(), 1024)
        for precision in (torch.float32, torch.bfloat16)
    )
    assert (exact - quick).abs().mean() < 0.02


@torch.inference_mode()
def test_all_that_is_computed_with_is_the_encoder_and_the_decoder_that_ship() -> None:
    shipped = network.load()
    assert network.load() is shipped
    own = load_encoder()(_photo())
    for ours, theirs in zip(own, shipped.encoder(_photo()), strict=True):
        assert torch.equal(ours, theirs)
    parameters = [p for part in (shipped.encoder, shipped.decoder) for p in part.parameters()]
    assert sum(p.numel() for p in parameters) < 2_500_000
    assert not any(p.requires_grad for p in parameters)
