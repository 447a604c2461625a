"""Nearest-neighbor search between patches of two pictures, in a PCA basis that keeps most of the energy.

The search is exact within the basis, by dense matrix products without a tree. Its bottleneck is the argmax of each row
rather than the product, so a first pass keeps only the maximum of every block of candidates, and a second one locates
the maximum within each row's best block.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.pyramid import gaussian_blur

SAMPLES = 2000  # patches from which a basis is estimated
ROUNDING = 1e-5  # rounding error of values in [0, 1]: less than 1/300 of an 8-bit step
ROWS, CANDIDATES = 4096, 1024  # a block of scores, 16 MiB, fits into the cache
MAX_SAMPLED_SIDE = 17  # larger patches are subsampled to at most this side


@dataclass(frozen=True, slots=True)
class PatchBasis:
    """Affine map from patches to short descriptors that preserves their distances.

    Attributes:
        mean: Mean patch, (3 * side * side,).
        axes: Orthonormal rows, (dimensions, 3 * side * side).
        patch: Side of the patches in pixels.
        step: Subsampling step within a patch. Above 1 the picture is low-passed against aliasing: the lost energy is
            fine detail of large patches, which smaller patches determine anyway.
    """

    mean: Tensor
    axes: Tensor
    patch: int
    step: int

    @property
    def side(self) -> int:
        """Sampled pixels along a side."""
        return (self.patch - 1) // self.step + 1

    def describe(self, image: Tensor, stride: int) -> Tensor:
        """Return descriptors (N, dimensions) of the patches of `image` (3, H, W), `stride` apart, in row order."""
        kernels = self.axes.view(-1, 3, self.side, self.side)
        described = functional.conv2d(low_pass(image, self.step)[None], kernels, stride=stride, dilation=self.step)
        # The kernel spans (side - 1) * step + 1 pixels, which can be less than the patch: drop the excess positions.
        rows, columns = ((n - self.patch) // stride + 1 for n in image.shape[-2:])
        # Dimension-major in memory, as `nearest` multiplies them: the transposition copies nothing.
        return (described[0, :, :rows, :columns].flatten(1) - (self.axes @ self.mean)[:, None]).t()

    def describe_grid(self, padded: Tensor, grid: PatchGrid) -> Tensor:
        """Return descriptors (rows * columns, dimensions) of the patches of `padded` on `grid`, in row-major order."""
        patches = grid.extract(low_pass(padded, self.step))[..., :: self.step, :: self.step]
        return (patches.flatten(1, 2).transpose(0, 1).flatten(1) - self.mean) @ self.axes.t()


def low_pass(image: Tensor, step: int) -> Tensor:
    """Low-pass `image` for subsampling by `step`."""
    return image if step == 1 else gaussian_blur(image, 0.5 * step)


def fit_basis(image: Tensor, patch: int, energy: float, generator: torch.Generator) -> PatchBasis:
    """Fit the principal axes of the patches of `image` (3, H, W) that keep at least `energy` (0-1) of the variance.

    Estimated on up to `SAMPLES` random patches by a randomized range finder with two power iterations (Halko,
    Martinsson & Tropp 2011), whose rank grows until the energy is reached.
    """
    step = -(-patch // MAX_SAMPLED_SIDE)
    samples = _random_patches(low_pass(image, step), patch, step, generator)
    mean = samples.mean(0)
    samples = samples - mean
    # In a picture of one color only rounding errors remain, on whose near-equal eigenvalues LAPACK fails.
    samples = torch.where(samples.abs() < ROUNDING, 0, samples)
    variance = samples.square().sum()
    rank, full_rank = 32, min(samples.shape)
    while True:
        rank = min(rank, full_rank)
        values, axes = leading_axes(samples, rank, generator)
        sufficient = values.cumsum(0) >= energy * variance
        if sufficient.any() or rank == full_rank:
            dimensions = rank if not sufficient.any() else int(sufficient.to(torch.uint8).argmax()) + 1
            return PatchBasis(mean, axes[:dimensions].contiguous(), patch, step)
        rank *= 3


def _random_patches(image: Tensor, patch: int, step: int, generator: torch.Generator) -> Tensor:
    """Draw up to `SAMPLES` patches at random positions, as rows (n, 3 * side * side)."""
    views = image.unfold(1, patch, 1).unfold(2, patch, 1)[..., ::step, ::step]
    rows, columns = views.shape[1:3]
    count = min(SAMPLES, rows * columns)
    chosen = torch.randperm(rows * columns, generator=generator)[:count].to(image.device)
    return views[:, chosen // columns, chosen % columns].transpose(0, 1).reshape(count, -1)


def leading_axes(samples: Tensor, rank: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the `rank` largest sums of squares along orthonormal axes, and the axes as rows, largest first."""
    gaussian = torch.randn(len(samples), rank, generator=generator, dtype=samples.dtype).to(samples.device)
    sketch = torch.linalg.qr(samples.t() @ gaussian).Q
    for _ in range(2):
        sketch = torch.linalg.qr(samples.t() @ (samples @ sketch)).Q
    projected = samples @ sketch
    values, vectors = torch.linalg.eigh((projected.t() @ projected).double())
    return values.float().flip(0), (sketch @ vectors.float()).t().flip(0)


def nearest(queries: Tensor, candidates: Tensor, penalty: Tensor | None = None) -> Tensor:
    """Return the index (N,) of the nearest candidate (M, D) for each query (N, D), exact in float32 arithmetic.

    A `penalty` (M,) is added to the squared distance to each candidate.
    """
    parts = [_best_columns(part, candidates.t(), penalty) for part in torch.split(queries, ROWS)]
    return torch.cat(parts)


def _best_columns(queries: Tensor, columns: Tensor, penalty: Tensor | None) -> Tensor:
    """Return the index of the nearest of `columns` (D, M) for each row of `queries` (n, D)."""
    starts = range(0, columns.shape[1], CANDIDATES)
    buffer = queries.new_empty(len(queries), min(CANDIDATES, columns.shape[1]))
    block_best = queries.new_empty(len(starts), len(queries))
    for top, start in zip(block_best, starts, strict=True):
        scores = buffer[:, : columns.shape[1] - start]
        torch.amax(_score(queries, columns, penalty, start, out=scores), 1, out=top)
    winner = block_best.argmax(0)
    best = torch.empty_like(winner)
    for block in torch.unique(winner).tolist():
        rows = (winner == block).nonzero()[:, 0]
        start = block * CANDIDATES
        best[rows] = start + _score(queries[rows], columns, penalty, start).argmax(1)
    return best


def _score(
    queries: Tensor, columns: Tensor, penalty: Tensor | None, start: int, *, out: Tensor | None = None
) -> Tensor:
    """Score the queries against the block of columns from `start`, (n, up to CANDIDATES): higher is nearer."""
    block = columns[:, start : start + CANDIDATES]
    cost = block.square().sum(0)
    if penalty is not None:
        cost += penalty[start : start + CANDIDATES]
    # |q - c|^2 = |q|^2 - 2 (q.c - |c|^2 / 2), and |q|^2 is the same for all candidates.
    return torch.addmm(cost, queries, block, beta=-0.5, out=out)
