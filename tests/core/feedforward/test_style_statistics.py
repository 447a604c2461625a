from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.feedforward.style_statistics import StyleStatistics


def _picture(seed: int, height: int = 16, width: int = 24) -> tuple[Tensor, list[Tensor]]:
    """A picture and two taps of it, at strides 1 and 4."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 3, height, width, generator=generator)
    return image, [torch.rand(1, c, height // s, width // s, generator=generator) ** 2 for c, s in ((5, 1), (7, 4))]


def _look(seed: int) -> StyleStatistics:
    return StyleStatistics.from_features(*_picture(seed))


def _same(a: StyleStatistics, b: StyleStatistics, tolerance: float = 1e-6) -> None:
    for ours, theirs in zip(a.levels, b.levels, strict=True):
        for x, y in zip(ours.tensors(), theirs.tensors(), strict=True):
            torch.testing.assert_close(x, y, atol=tolerance, rtol=tolerance)


def test_of_a_large_picture_a_sample_says_enough() -> None:
    coarse, finer = torch.rand(1, 3, 20, 30), torch.rand(1, 3, 70, 90)
    image = functional.interpolate(coarse, (600, 900), mode="bicubic") + 0.1 * functional.interpolate(finer, (600, 900))
    (level,) = StyleStatistics.from_features(image, []).levels
    torch.testing.assert_close(level.mean, image.mean((0, 2, 3)), rtol=0.01, atol=0)
    covariance = torch.cov(image[0].flatten(1), correction=0)
    assert (level.covariance - covariance).norm() < 0.02 * covariance.norm()


def test_a_look_can_be_limited_to_a_part_of_the_picture() -> None:
    image, taps = _picture(0)
    weight = torch.zeros(1, 1, 16, 24)
    weight[..., :8] = 0.5
    _same(
        StyleStatistics.from_features(image, taps, weight),
        StyleStatistics.from_features(image[..., :8], [taps[0][..., :8], taps[1][..., :2]]),
    )


def test_packed_look_equals_the_look_and_stores_symmetry_once() -> None:
    packed = _look(0).pack()
    _same(StyleStatistics.unpack(packed), _look(0), tolerance=1e-3)
    numbers = sum(c + c * (c + 1) // 2 for c in (3, 5, 7))
    assert sum(value.nbytes for value in packed.values()) == 2 * numbers


def test_a_look_between_two_is_the_same_from_both_sides() -> None:
    a, b = _look(0), _look(1)
    _same(a.lerp(b, 0.0), a)
    _same(a.lerp(b, 1.0), b)
    _same(a.lerp(b, 0.25), b.lerp(a, 0.75))
    _same(a.lerp(b, 0.25), StyleStatistics.mix([(a, 0.75), (b, 0.25)]))


def test_looks_of_parts_make_the_look_of_the_whole() -> None:
    image, taps = _picture(0)
    halves = [StyleStatistics.from_features(image[..., s], [taps[0][..., s], taps[1][..., t]]) for s, t in (
        (slice(0, 8), slice(0, 2)),
        (slice(8, 24), slice(2, 6)),
    )]  # fmt: skip
    _same(StyleStatistics.pool([(halves[0], 1 / 3), (halves[1], 2 / 3)]), StyleStatistics.from_features(image, taps))
