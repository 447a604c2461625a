"""The texture method by itself: patches that fit, and tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylizer.methods.texture import patch_sizes

Paint = Callable[..., Tensor]


def test_at_the_papers_size_patches_are_the_papers() -> None:
    assert patch_sizes(400, [torch.zeros(3, 400, 300)]) == [(33, 28), (21, 18), (13, 8), (9, 5)]


def test_patches_grow_with_the_painting() -> None:
    small, large = (patch_sizes(size, [torch.zeros(3, size, size)]) for size in (400, 1200))
    for (patch, gap), (larger_patch, larger_gap) in zip(small, large, strict=True):
        assert larger_patch == pytest.approx(3 * patch, abs=1)
        assert larger_gap == pytest.approx(3 * gap, abs=2)


@settings(max_examples=200, deadline=None)
@given(
    long_side=st.integers(64, 2048),
    pictures=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=2, max_size=4),
)
def test_patches_are_odd_overlap_or_touch_and_fit_every_picture(
    long_side: int, pictures: list[tuple[int, int]]
) -> None:
    fitted = patch_sizes(long_side, [torch.zeros(3, *size) for size in pictures])
    sides = [patch for patch, _ in fitted]
    assert sides == sorted(sides, reverse=True)
    for patch, gap in fitted:
        assert patch % 2 == 1
        assert 1 <= gap <= patch
        assert patch <= min(min(size) for size in pictures)


def test_a_photo_that_is_the_style_stays_much_as_it_is(paint: Paint) -> None:
    down, across = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    rings = 0.5 + 0.4 * torch.sin(((down - 30) ** 2 + (across - 20) ** 2).sqrt() / 2)
    picture = torch.stack((rings, 0.8 * rings, 1 - rings))[None]
    assert (paint("texture", picture, (picture, 1.0)) - picture).abs().mean() < 0.1


@pytest.mark.parametrize("strength", [1e-6, 5e-324])
def test_tiny_strength_leaves_the_photo(paint: Paint, strength: float) -> None:
    photo = torch.linspace(0.1, 0.9, 64).expand(1, 3, 64, 64)
    painted = paint("texture", photo, (1 - photo.transpose(2, 3), 1.0), strength=strength)
    assert (painted - photo).abs().max() < 0.02


def test_a_style_of_vertical_lines_paints_vertical_lines(paint: Paint) -> None:
    lines = (torch.arange(64) % 6 < 3).float().expand(1, 3, 64, 64)
    down, across = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    photo = (0.5 * down + 0.5 * across).expand(1, 3, 64, 64)
    for style, axis, other in ((lines, 3, 2), (lines.transpose(2, 3), 2, 3)):
        painted = paint("texture", photo, (style.contiguous(), 1.0))
        assert painted.diff(dim=axis).abs().mean() > 2 * painted.diff(dim=other).abs().mean()
