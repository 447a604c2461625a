"""What does not depend on the place is multiplied into the weights beforehand, and changes nothing by it."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylizer.feedforward.decoder import COMPONENTS, LEVELS, MIN_VARIANCE, WIDTHS, ModulatedConv, PCABasis, StyleDecoder
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.feedforward.transport import transport, transport_lightness_first


@pytest.fixture(scope="module")
def decoder() -> StyleDecoder:
    """Untrained, but with everything at work: styles that modulate, a basis."""
    torch.manual_seed(0)
    decoder = StyleDecoder()
    for module in decoder.convolutions:
        torch.nn.init.normal_(cast(ModulatedConv, module).style.weight, std=0.03)
    pooled = StyleStatistics.pool([(StyleStatistics.from_features(*_seen(seed)), 0.25) for seed in range(4)])
    for basis, level in zip(decoder.bases, pooled.levels, strict=True):
        cast(PCABasis, basis).fit(level)
    return decoder.requires_grad_(False)


def _seen(seed: int, height: int = 64, width: int = 80) -> tuple[Tensor, list[Tensor]]:
    """A picture and features such as the encoder's: not below 0, correlated, each picture's its own."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 3, height, width, generator=generator)
    taps = []
    for stride, channels in zip((1, 2, 4, 8), LEVELS[1:], strict=True):
        plain = torch.randn(1, channels, height // stride, width // stride, generator=generator)
        mixing = torch.randn(channels, channels, 1, 1, generator=generator) / channels**0.5
        taps.append(functional.relu(functional.conv2d(plain, mixing)))
    return image, taps


def test_folded_weights_paint_as_the_separate_steps_do(decoder: StyleDecoder) -> None:
    (image, taps), style = _seen(0), StyleStatistics.from_features(*_seen(1))
    photo = StyleStatistics.from_features(image, taps)
    painted = decoder(decoder.modulate(photo, style), image, taps)
    assert painted.shape == image.shape
    assert float(painted.std()) > 0.05
    torch.testing.assert_close(painted, _step_by_step(decoder, photo, style, image, taps), atol=1e-4, rtol=0)


def _step_by_step(
    decoder: StyleDecoder, photo: StyleStatistics, style: StyleStatistics, image: Tensor, taps: list[Tensor]
) -> Tensor:
    codes: list[Tensor] = []
    moved: list[Tensor] = []
    levels = zip(decoder.bases, (image, *taps), photo.levels, style.levels, MIN_VARIANCE, strict=True)
    for basis, level, our, want, least in levels:
        assert isinstance(basis, PCABasis)
        move = transport_lightness_first if len(moved) == 0 else transport
        matrix, offset = move(basis.project(our), basis.project(want), least)
        components = torch.einsum("dc,bchw->bdhw", basis.matrix, level - basis.mean.view(1, -1, 1, 1))
        moved.append(torch.einsum("ed,bdhw->behw", matrix, components) + offset.view(1, -1, 1, 1))
        wanted = basis.project(want)
        codes += [wanted.mean, wanted.covariance.diagonal().sqrt()]
    code = functional.relu(decoder.code(torch.cat(codes)))
    layers = iter(cast(list[ModulatedConv], list(decoder.convolutions)))

    def convolved(x: Tensor) -> Tensor:
        layer = next(layers)
        scale, shift = (part.view(1, -1, 1, 1) for part in layer.style(code).chunk(2))
        mode = "replicate" if x.shape[3] <= 80 // 4 else "constant"
        padded = functional.pad(x, (1, 1, 1, 1), mode=mode)
        y = functional.conv2d(padded, layer.convolution.weight, layer.convolution.bias)
        return torch.addcmul(y + shift, y, scale)

    x = functional.relu(convolved(functional.relu(convolved(moved[4]))))
    for entry, component in zip(reversed(list(decoder.entries)), moved[3:0:-1], strict=True):
        x = functional.interpolate(convolved(x), scale_factor=2, mode="bilinear", align_corners=False)
        x = functional.relu(x + torch.einsum("od,bdhw->bohw", entry, component))
        x = functional.relu(convolved(x))
    basis = decoder.bases[0]
    assert isinstance(basis, PCABasis)
    back = torch.linalg.inv(basis.matrix)
    colors = torch.einsum("cd,bdhw->bchw", back, moved[0]) + basis.mean.view(1, -1, 1, 1)
    return torch.sigmoid(convolved(x) + 4 * (colors - 0.5))


def test_basis_whitens_features() -> None:
    image, taps = _seen(3, 256, 256)
    statistics = StyleStatistics.from_features(image, taps)
    for level, channels, kept in zip(statistics.levels, LEVELS, COMPONENTS, strict=True):
        basis = PCABasis(channels, kept)
        basis.fit(level)
        seen = basis.project(level)
        torch.testing.assert_close(seen.mean, torch.zeros(kept))
        torch.testing.assert_close(seen.covariance, torch.eye(kept), atol=1e-3, rtol=0)


def test_own_style_prepares_weights_but_no_color_change(decoder: StyleDecoder) -> None:
    image, taps = _seen(0)
    own, style = StyleStatistics.from_features(image, taps), StyleStatistics.from_features(*_seen(1))
    at_home, abroad = decoder.modulate(own, own), decoder.modulate(own, style)
    torch.testing.assert_close(at_home.colors[0], torch.eye(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(at_home.colors[1], torch.zeros(3), atol=1e-3, rtol=0)
    assert len(at_home.entries) == len(WIDTHS)
    for ours, theirs in zip(at_home.filters, abroad.filters, strict=True):
        assert not torch.equal(ours.weight, theirs.weight)
