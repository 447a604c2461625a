from __future__ import annotations

import torch
from torch import Tensor

from stylizer.features.statistics import Statistics
from stylizer.losses import content_loss, normalized, style_loss, style_scales, total_variation


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_style_loss_is_the_weighted_mean_of_relative_squared_errors() -> None:
    taps, styles = ([_noise(1, c, 4, 5, seed=c + s) for c in (2, 3)] for s in (0, 7))
    ours, wanted = ([Statistics.of(tap) for tap in group] for group in (taps, styles))
    scales = [style_scales(want) for want in wanted]
    by_hand = 0.0
    for tap, style, weight in zip(taps, styles, (1.0, 3.0), strict=True):
        x, y = tap[0].flatten(1), style[0].flatten(1)
        of_mean = ((x.mean(1) - y.mean(1)) ** 2).sum() / (y.mean(1) ** 2).sum()
        cx, cy = torch.cov(x, correction=0), torch.cov(y, correction=0)
        least = (0.03 * (y.mean(1) ** 2).sum()) ** 2
        by_hand += weight * float(of_mean + ((cx - cy) ** 2).sum() / ((cy**2).sum() + least))
    torch.testing.assert_close(float(style_loss(ours, wanted, scales, (1.0, 3.0))), by_hand / 4)


def test_the_style_loss_is_zero_at_the_style_and_finite_for_a_style_of_one_color() -> None:
    photo, flat = Statistics.of(_noise(1, 3, 4, 5)), Statistics.of(torch.full((1, 3, 4, 5), 0.5))
    assert float(style_loss([photo], [photo], [style_scales(photo)], [1.0])) == 0
    toward_flat = float(style_loss([photo], [flat], [style_scales(flat)], [1.0]))
    assert 0.1 < toward_flat < 100


def test_normalized_features_have_mean_zero_and_deviation_one_whatever_color_and_contrast_were() -> None:
    tap = _noise(1, 4, 6, 7)
    changed = tap * torch.tensor([1.0, 2.0, 0.5, 3.0]).view(1, 4, 1, 1) + 0.3
    for picture in (tap, changed):
        seen = normalized(picture)
        torch.testing.assert_close(seen.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
        torch.testing.assert_close(seen.std(0, correction=0), torch.ones(4, dtype=torch.float64), atol=1e-2, rtol=0)
    same = [normalized(picture) for picture in (tap, changed)]
    assert float(content_loss(same[:1], same[1:])) < 1e-4


def test_a_channel_that_sees_nothing_is_not_blown_up_and_has_a_gradient() -> None:
    tap = torch.cat([_noise(1, 2, 6, 7), torch.full((1, 1, 6, 7), 0.25, dtype=torch.float64)], 1).requires_grad_()
    seen = normalized(tap)
    seen.square().sum().backward()  # type: ignore[no-untyped-call]
    assert seen[:, 2].abs().max() < 1e-6
    assert tap.grad is not None
    assert tap.grad.isfinite().all()


def test_the_content_loss_and_its_gradient_are_those_of_the_plain_formula() -> None:
    tap, photo = _noise(1, 3, 4, 5).requires_grad_(), _noise(1, 3, 4, 5, seed=9)
    ours = content_loss([normalized(tap)], [normalized(photo)])

    def plainly(x: Tensor) -> Tensor:
        flat = x[0].flatten(1)
        off = flat - flat.mean(1, keepdim=True)
        return off / (off.square().mean(1, keepdim=True).sqrt() + 1e-3 * flat.std(correction=0))

    plain = (plainly(tap) - plainly(photo)).square().mean()
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(*(torch.autograd.grad(loss, tap)[0] for loss in (ours, plain)), atol=1e-12, rtol=1e-6)


def test_mean_and_deviation_are_taken_where_the_weight_is() -> None:
    tap, weight = _noise(1, 3, 4, 6), torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    weight[..., :3] = 0.5
    inside = normalized(tap, weight).view(4, 6, 3)[:, :3].flatten(0, 1)
    torch.testing.assert_close(inside, normalized(tap[..., :3]))


def test_where_the_weight_is_zero_the_content_loss_looks_away() -> None:
    ours, wanted = _noise(12, 3), _noise(12, 3, seed=1)
    weight = torch.ones(1, 1, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(content_loss([ours], [wanted], [weight]), content_loss([ours], [wanted]))
    weight[..., 1:, :] = 0  # all but the first four positions
    expected = (ours[:4] - wanted[:4]).square().mean()
    torch.testing.assert_close(content_loss([ours], [wanted], [weight]), expected)


def test_total_variation_counts_steps_between_neighbors() -> None:
    image = torch.zeros(1, 3, 4, 6)
    assert float(total_variation(image)) == 0
    image[..., 3:] = 1  # one step of 1 in each row, among five pairs
    torch.testing.assert_close(float(total_variation(image)), 0.2)
    assert float(total_variation(torch.rand(1, 3, 1, 1))) == 0
