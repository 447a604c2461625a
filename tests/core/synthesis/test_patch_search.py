"""The search and its descriptors against plain versions: pair by pair, patch by patch, in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylizer.synthesis import patch_search
from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.patch_search import PatchBasis, fit_basis, low_pass, nearest
from stylizer.synthesis.pyramid import gaussian_blur


def _costs(queries: Tensor, candidates: Tensor, penalty: Tensor | None) -> list[list[float]]:
    """Squared distance plus penalty of every pair, in float64."""
    extra = torch.zeros(len(candidates)) if penalty is None else penalty
    return [
        ((query - candidates.double()).square().sum(1) + extra.double()).tolist() for query in queries.double().unbind()
    ]


def _assert_nearest(queries: Tensor, candidates: Tensor, penalty: Tensor | None = None, slack: float = 0.0) -> None:
    """No candidate is nearer than the one found; where one alone is nearest (by more than slack), it is that one."""
    found = nearest(queries, candidates, penalty)
    assert found.shape == (len(queries),)
    assert found.dtype == torch.int64
    for index, costs in zip(found.tolist(), _costs(queries, candidates, penalty), strict=True):
        assert 0 <= index < len(candidates)
        assert costs[index] <= min(costs) + slack


def _whole_numbers(count: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Descriptors whose distances float32 holds exactly, so that the nearest is not a matter of rounding."""
    return torch.randint(-9, 10, (count, dimensions), generator=generator).float()


@pytest.mark.parametrize("candidates", [1, 2, 1023, 1024, 1025, 2500])
@pytest.mark.parametrize("penalized", [False, True])
def test_the_nearest_candidate_is_that_of_a_plain_loop(candidates: int, penalized: bool) -> None:
    generator = torch.Generator().manual_seed(candidates)
    queries = _whole_numbers(60, 7, generator)
    stock = _whole_numbers(candidates, 7, generator)
    penalty = torch.randint(0, 300, (candidates,), generator=generator).float() if penalized else None
    _assert_nearest(queries, stock, penalty)


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 40),
    candidates=st.integers(1, 40),
    dimensions=st.integers(1, 6),
    block=st.integers(1, 9),
    rows=st.integers(1, 9),
    penalized=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_nearest_candidate_does_not_depend_on_block_size(
    queries: int, candidates: int, dimensions: int, block: int, rows: int, penalized: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    stock = _whole_numbers(candidates, dimensions, generator)
    penalty = torch.randint(0, 50, (candidates,), generator=generator).float() if penalized else None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(patch_search, "CANDIDATES", block)
        patched.setattr(patch_search, "ROWS", rows)
        _assert_nearest(_whole_numbers(queries, dimensions, generator), stock, penalty)


def test_search_resolves_descriptors_to_float32_accuracy() -> None:
    generator = torch.Generator().manual_seed(2)
    stock = torch.randn(1500, 40, generator=generator)
    near = stock[torch.randint(0, 1500, (200,), generator=generator)]
    queries = near + 0.3 * torch.randn(200, 40, generator=generator)
    _assert_nearest(queries, stock, slack=1e-4)  # squared lengths are about 40


def _texture(height: int, width: int, seed: int = 0) -> Tensor:
    """Colored noise with structure of a few pixels, as pictures have, (3, H, W)."""
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    soft = gaussian_blur(noise, 1.5)
    return (0.5 + 4 * (soft - soft.mean())).clamp(0, 1)


def _cut_plainly(image: Tensor, basis: PatchBasis, stride: int) -> Tensor:
    """Compared pixels of all patches as rows, float64: (N, 3 * side * side)."""
    smooth = low_pass(image, basis.step)
    rows = []
    for top in range(0, image.shape[1] - basis.patch + 1, stride):
        for left in range(0, image.shape[2] - basis.patch + 1, stride):
            patch = smooth[:, top : top + basis.patch, left : left + basis.patch]
            rows.append(patch[:, :: basis.step, :: basis.step].flatten())
    return torch.stack(rows).double()


@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (5, 1), (8, 3), (17, 2), (18, 2), (33, 3), (40, 1)])
def test_descriptors_are_the_patches_projected_onto_the_axes(patch: int, stride: int) -> None:
    image = _texture(47, 52)
    basis = fit_basis(image, patch, 0.95, torch.Generator().manual_seed(0))
    expected = (_cut_plainly(image, basis, stride) - basis.mean.double()) @ basis.axes.double().t()
    torch.testing.assert_close(basis.describe(image, stride).double(), expected, atol=2e-4, rtol=0)


def test_descriptors_drop_fine_detail_and_keep_coarse_structure() -> None:
    checks = torch.zeros(3, 60, 60)
    checks[:, ::2, 1::2] = checks[:, 1::2, ::2] = 1
    slow = (torch.arange(60) / 60 * 6.28).sin().expand(3, 60, 60)
    for step in (2, 3):
        assert low_pass(checks, step)[:, ::step, ::step].std() < 0.1
        torch.testing.assert_close(low_pass(slow, step)[..., 9:-9], slow[..., 9:-9], atol=0.02, rtol=0)
    assert torch.equal(low_pass(checks, 1), checks)


@pytest.mark.parametrize(("patch", "gap"), [(5, 5), (9, 4), (33, 8)])
def test_a_picture_is_described_as_the_style_is(patch: int, gap: int) -> None:
    grid = PatchGrid(patch + 2 * gap, patch + 3 * gap, patch, gap)
    image = _texture(grid.height, grid.width)
    basis = fit_basis(_texture(60, 60, seed=1), patch, 0.95, torch.Generator().manual_seed(0))
    padded = grid.pad(image)
    assert torch.equal(padded, image)
    torch.testing.assert_close(basis.describe_grid(padded, grid), basis.describe(image, gap), atol=2e-4, rtol=0)


@pytest.mark.parametrize("patch", [3, 9, 33])
def test_axes_are_orthonormal_and_no_more_than_needed(patch: int) -> None:
    image = _texture(80, 90)
    basis = fit_basis(image, patch, 0.95, torch.Generator().manual_seed(0))
    torch.testing.assert_close(basis.axes @ basis.axes.t(), torch.eye(len(basis.axes)), atol=1e-4, rtol=0)
    everywhere = _cut_plainly(image, basis, 1)
    variance = (everywhere - everywhere.mean(0)).square().sum()
    along = ((everywhere - basis.mean) @ basis.axes.double().t()).square().sum(0)
    slack = 0.015  # the axes come from a sample of the patches
    assert along.sum() >= (0.95 - slack) * variance
    assert along[:-1].sum() < (0.95 + slack) * variance
    assert len(basis.axes) < basis.axes.shape[1] / 2


def test_a_picture_of_one_color_has_a_basis_too() -> None:
    flat = torch.full((3, 20, 20), 0.3)
    described = fit_basis(flat, 9, 0.95, torch.Generator().manual_seed(0)).describe(flat, 1)
    assert described.isfinite().all()
    assert described.abs().max() < 1e-3
