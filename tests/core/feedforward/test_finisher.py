from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stylizer.feedforward import finisher
from stylizer.feedforward.finisher import Finisher, Guide, finish
from stylizer.tiles import Tile


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Finisher:
    """A network of random weights in place of the shipped one, in float32."""
    torch.manual_seed(0)
    network = Finisher()
    nn.init.normal_(network.leave.weight, std=0.02)
    network.requires_grad_(False).eval()
    monkeypatch.setattr(finisher, "load", lambda **_: network)
    monkeypatch.setattr(finisher, "autocast_dtype", lambda _: torch.float32)
    return network


def _guide(picture: Tensor) -> Guide:
    def guide(tile: Tile) -> tuple[Tensor, Tensor]:
        seen = tile.extract(picture)
        return seen[:, :3], seen[:, 3:]

    return guide


@pytest.mark.usefixtures("network")
def test_finish_in_tiles_equals_finish_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    draft, photo = torch.rand(1, 3, 150, 333), torch.rand(1, 4, 150, 333)
    whole = finish(draft, _guide(photo))
    monkeypatch.setattr(finisher, "TILE", 64)
    torch.testing.assert_close(finish(draft, _guide(photo)), whole, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (63, 130)])
def test_finish_keeps_size_and_range_of_the_draft(size: tuple[int, int]) -> None:
    draft = torch.randint(256, (1, 3, *size), dtype=torch.uint8)
    finished = finish(draft, _guide(torch.rand(1, 4, *size)))
    assert finished.shape == draft.shape
    assert 0 <= finished.min() < finished.max() <= 1
    assert not torch.allclose(finished, draft / 255, atol=1e-3)


@pytest.mark.usefixtures("network")
def test_finish_strength_scales_the_correction() -> None:
    draft, guide = 0.4 + 0.2 * torch.rand(1, 3, 48, 64), _guide(torch.rand(1, 4, 48, 64))
    assert torch.equal(finish(draft, guide, 0.0), draft)
    weak, strong = (finish(draft, guide, strength) - draft for strength in (0.05, 0.1))
    torch.testing.assert_close(2 * weak, strong, rtol=0, atol=1e-5)


def test_output_depends_on_no_pixel_beyond_reach(network: Finisher) -> None:
    side = 2 * finisher.REACH + 32
    seen = torch.rand(1, 7, side, side, requires_grad=True)
    for place in (side // 2, side // 2 + 3, side // 2 + 7):
        (gradient,) = torch.autograd.grad(network(*torch.split(seen, [3, 3, 1], 1))[0, :, place, place].sum(), seen)
        affected = gradient[0].abs().sum(0).nonzero()
        assert (affected - place).abs().max() <= finisher.REACH
