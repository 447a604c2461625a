"""Styles as stocks of patches: what is pasted, how evenly, and from whom."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numerics import noise
from torch import Tensor

from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.patch_source import PatchSource, UsageMap, assign_patches, select_patches, window_means


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(0, 12), st.integers(0, 12))
def test_window_means_are_those_of_a_plain_loop(side: int, down: int, across: int) -> None:
    values = noise(side + down, side + across)
    means = window_means(values, side)
    assert means.shape == (down + 1, across + 1)
    for y in range(down + 1):
        for x in range(across + 1):
            torch.testing.assert_close(means[y, x], values[y : y + side, x : x + side].mean())


def _places(style: Tensor, patches: Tensor) -> set[tuple[int, int]]:
    """Where in the style the patches (3, rows, columns, p, p) come from; fails if one is no piece of it."""
    side = patches.shape[-1]
    views = style.unfold(1, side, 1).unfold(2, side, 1)  # (3, h', w', p, p)
    found = set()
    for patch in patches.flatten(1, 2).unbind(1):
        hits = (views == patch[:, None, None]).all(-1).all(-1).all(0).nonzero().tolist()
        assert hits
        found.add((hits[0][0], hits[0][1]))
    return found


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_pasted_patches_are_pieces_of_the_style_on_its_lattice(stride: int) -> None:
    style = noise(3, 22, 27)
    source = PatchSource(style, UsageMap(), patch=5, stride=stride, generator=torch.Generator().manual_seed(0))
    grid = PatchGrid(16, 13, 5, 3, 1, 2)
    for _ in range(2):  # with and without earlier use
        patches = source.match(grid.pad(noise(3, 16, 13, seed=1)), grid)
        assert patches.shape == (3, grid.rows, grid.columns, 5, 5)
        assert all(y % stride == 0 and x % stride == 0 for y, x in _places(style, patches))


def test_a_picture_cut_from_the_style_finds_itself() -> None:
    style = noise(3, 30, 30)
    source = PatchSource(style, UsageMap(), patch=7, stride=1, generator=torch.Generator().manual_seed(0))
    grid = PatchGrid(7 + 2 * 4, 7 + 4, 7, 4)
    piece = style[:, 5 : 5 + grid.height, 9 : 9 + grid.width]
    assert torch.equal(source.match(piece, grid), grid.extract(piece))


def test_used_parts_are_held_back_for_others() -> None:
    # Every patch of a picture of one color has the same nearest patch of the style.
    style = noise(3, 40, 40)
    grid = PatchGrid(21, 21, 5, 4)
    padded = torch.full((3, 21, 21), 0.5)

    def paste(usage: UsageMap) -> set[tuple[int, int]]:
        source = PatchSource(style, usage, patch=5, stride=1, generator=torch.Generator().manual_seed(0))
        return _places(style, source.match(padded, grid))

    memory = UsageMap()
    one_after_another = [paste(memory) for _ in range(6)]
    forgetful = [paste(UsageMap()) for _ in range(6)]
    assert len(set.union(*forgetful)) == 1
    assert len(set.union(*one_after_another)) >= 4
    for before, after in pairwise(one_after_another):
        assert before != after


def test_region_without_a_position_uses_up_nothing() -> None:
    generator, grid = torch.Generator(), PatchGrid(16, 13, 5, 3, 1, 2)
    padded = grid.pad(noise(3, 16, 13, seed=1))
    source = PatchSource(noise(3, 30, 30), UsageMap(), patch=5, stride=1, generator=generator.manual_seed(0))
    nowhere = torch.zeros(grid.rows, grid.columns, dtype=torch.bool)
    assert source.match(padded, grid, nowhere).shape == (3, grid.rows, grid.columns, 5, 5)
    generator.manual_seed(1)
    matched = source.match(padded, grid)
    fresh = PatchSource(noise(3, 30, 30), UsageMap(), patch=5, stride=1, generator=generator.manual_seed(0))
    generator.manual_seed(1)
    assert torch.equal(matched, fresh.match(padded, grid))


@pytest.mark.parametrize(
    "shares", [(1.0,), (0.5, 0.5), (0.9, 0.1), (0.2, 0.5, 0.3), (1 / 3, 1 / 3, 1 / 3), (0.4, 0.3, 0.2, 0.1)]
)
def test_every_style_gets_its_share_of_the_patches(shares: tuple[float, ...]) -> None:
    # The later styles fit what the one before has painted best of all: fit alone would let them take from one only.
    grid = PatchGrid(60, 60, 5, 3)
    padded = grid.pad(noise(3, 60, 60))
    under = grid.extract(padded)
    near = (torch.arange(grid.columns) >= grid.columns // 2).view(1, 1, -1, 1, 1)
    patches = [
        under + torch.where(near, 0.5 / 2**k, 0.5 + 0.5 * k) * noise(*under.shape, seed=k + 1)
        for k in range(len(shares))
    ]
    owner = assign_patches(padded, grid, patches, shares)
    assert owner.shape == (grid.rows, grid.columns)
    assert [float((owner == style).float().mean()) for style in range(len(shares))] == pytest.approx(shares, abs=0.01)


def test_a_style_gets_the_places_where_it_fits_best() -> None:
    grid = PatchGrid(40, 40, 5, 5)
    dark_and_light = torch.zeros(3, 40, 40)
    dark_and_light[:, :, 20:] = 1
    padded = grid.pad(dark_and_light)
    dark, light = torch.zeros_like(grid.extract(padded)), torch.ones_like(grid.extract(padded))
    owner = assign_patches(padded, grid, [dark, light], [0.5, 0.5])
    assert torch.equal(select_patches([dark, light], owner), grid.extract(padded))
