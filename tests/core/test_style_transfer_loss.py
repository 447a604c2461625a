from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylizer import features, strips, style_transfer_loss
from stylizer.features.statistics import Statistics
from stylizer.losses import style_loss, style_scales
from stylizer.style_transfer_loss import MARGIN, StyleTransferLoss


def _noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Smooth enough to have structure."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, height // 8, width // 8, generator=random)
    return functional.interpolate(coarse, (height, width), mode="bilinear")


def _loss_and_gradient(image: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    photo, style = _noise(176, 96), _noise(200, 64, seed=1)
    judge = StyleTransferLoss(features.load("compact"), photo, [(style, 1.0)], strength=0.7, mask=mask)
    image = image.clone().requires_grad_()
    loss = judge(image)
    (gradient,) = torch.autograd.grad(loss, image)
    return loss.detach(), gradient


@pytest.mark.parametrize("masked", [False, True])
def test_loss_and_gradient_by_strips_equal_those_of_the_whole(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_transfer_loss, "autocast_dtype", lambda _device: torch.float32)
    image, mask = _noise(176, 96, seed=2), _noise(176, 96, channels=1, seed=3) if masked else None
    whole = _loss_and_gradient(image, mask)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 6000)
    assert len(strips.strips(176 + 2 * MARGIN, 96 + 2 * MARGIN, reach=56)) == 3
    parts = _loss_and_gradient(image, mask)
    torch.testing.assert_close(parts[0], whole[0], rtol=2e-3, atol=0)
    torch.testing.assert_close(parts[1], whole[1], rtol=0, atol=1e-2 * float(whole[1].abs().max()))


def test_a_strip_that_the_mask_leaves_out_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.zeros(1, 1, 176, 96)
    mask[:, :, :40] = 1
    monkeypatch.setattr(strips, "STRIP_PIXELS", 6000)
    loss, gradient = _loss_and_gradient(_noise(176, 96, seed=2), mask)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient[:, :, :40].abs().max() > 0


def test_the_loss_is_that_of_style_content_and_roughness_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_transfer_loss, "autocast_dtype", lambda _device: torch.float32)
    network = features.load("compact")
    photo, style, image = _noise(64, 96), _noise(64, 64, seed=1), _noise(64, 96, seed=2)

    def see(picture: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        taps = network(functional.pad(picture, (MARGIN,) * 4, mode="reflect"))
        return taps, network.content(taps)

    def normalize(tap: Tensor) -> Tensor:
        flat = tap[0].flatten(1).double()
        return (flat - flat.mean(1, keepdim=True)) / flat.std(1, correction=0, keepdim=True)

    (taps, content), (_, kept), (wanted, _) = see(image), see(photo), see(style)
    ours, theirs = ([Statistics.from_features(tap) for tap in group] for group in (taps, wanted))
    of_style = style_loss(ours, theirs, [style_scales(s) for s in theirs], [1.0] * 4)
    of_content = sum((normalize(x) - normalize(y)).square().mean() for x, y in zip(content, kept, strict=True)) / len(
        content
    )
    roughness = image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()
    expected = (
        of_style + style_transfer_loss.CONTENT_WEIGHT * of_content + style_transfer_loss.SMOOTHNESS_WEIGHT * roughness
    )
    judged = StyleTransferLoss(network, photo, [(style, 1.0)], strength=1.0, mask=None)(image)
    assert float(judged) == pytest.approx(float(expected), rel=1e-2)
