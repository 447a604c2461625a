from __future__ import annotations

import torch
from torch import Tensor

from stylizer.features.content_statistics import FLOOR, ContentStatistics


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _normalized(features: Tensor, weight: Tensor | None = None) -> Tensor:
    return ContentStatistics.from_features(features, features, weight).normalize(features)


def _plainly(features: Tensor) -> Tensor:
    """(C, P), normalize by the formula."""
    flat = features[0].flatten(1)
    off = flat - flat.mean(1, keepdim=True)
    return off / (off.square().mean(1, keepdim=True).sqrt() + FLOOR * flat.std(correction=0))


def test_normalized_features_have_mean_0_and_deviation_1() -> None:
    features = _noise(1, 4, 6, 7)
    changed = features * torch.tensor([1.0, 2.0, 0.5, 3.0]).view(1, 4, 1, 1) + 0.3
    for picture in (features, changed):
        seen = _normalized(picture)
        torch.testing.assert_close(seen[0].flatten(1), _plainly(picture))
        torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
        torch.testing.assert_close(seen.std((0, 2, 3)), torch.ones(4, dtype=torch.float64), atol=0.02, rtol=0)
    assert ContentStatistics.from_features(changed, _normalized(features)).distance < 1e-2


def test_distance_and_gradient_match_mean_squared_difference() -> None:
    features, photo = _noise(1, 3, 4, 5).requires_grad_(), _noise(1, 3, 4, 5, seed=9)
    ours = ContentStatistics.from_features(features, _normalized(photo)).distance
    plain = (_plainly(features) - _plainly(photo)).square().mean()
    torch.testing.assert_close(ours, plain, atol=1e-2, rtol=0)  # the floor keeps the photo's variance from being just 1
    gradients = [torch.autograd.grad(loss, features)[0] for loss in (ours, plain)]
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-6)


def test_constant_channel_is_not_amplified_and_has_a_gradient() -> None:
    blind = torch.full((1, 1, 6, 7), 0.25, dtype=torch.float64)
    features = torch.cat([_noise(1, 2, 6, 7), blind], 1).requires_grad_()
    assert _normalized(features)[:, 2].abs().max() < 1e-6
    ContentStatistics.from_features(features, _noise(1, 3, 6, 7, seed=1)).distance.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_what_lies_where_the_weight_is_zero_does_not_count() -> None:
    features, photo, weight = _noise(1, 3, 4, 6), _noise(1, 3, 4, 6, seed=1), torch.zeros(1, 1, 4, 6)
    weight[..., :3] = 0.5
    guided = ContentStatistics.from_features(features, _normalized(photo, weight), weight)
    inside = ContentStatistics.from_features(features[..., :3], _normalized(photo[..., :3]))
    torch.testing.assert_close(guided.distance, inside.distance)


def test_structure_of_parts_pools_to_that_of_the_whole() -> None:
    features, wanted = _noise(1, 3, 6, 8), _normalized(_noise(1, 3, 6, 8, seed=1))
    rows = [slice(0, 2), slice(2, 6)]
    parts = [ContentStatistics.from_features(features[:, :, part], wanted[:, :, part]) for part in rows]
    pooled, expected = (
        ContentStatistics.pool(list(zip(parts, (1 / 3, 2 / 3), strict=True))),
        ContentStatistics.from_features(features, wanted),
    )
    for ours, whole in zip(pooled.tensors(), expected.tensors(), strict=True):
        torch.testing.assert_close(ours, whole)
    torch.testing.assert_close(pooled.distance, expected.distance)
