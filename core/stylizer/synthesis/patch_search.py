"""For each patch of one picture the nearest patch of another, in a basis that keeps most of the energy.

The search is exact within the basis: no tree, no approximation. It is dense matrix work, and the costly part is not
the multiplication but finding the best of each row; so the first pass only keeps the best score of every block of
candidates, and the second one looks again into each row's winning block for the winner itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.patch_grid import PatchGrid
from stylizer.synthesis.pyramid import gaussian_blur

SAMPLES = 2000  # patches from which a basis is estimated
ROUNDING = 1e-5  # of values in [0, 1]: less than 1/300 of the step between two 8-bit values
ROWS, CANDIDATES = 4096, 1024  # a block of scores, 16 MiB: small enough to stay near the processor
MAX_SAMPLED_SIDE = 17  # larger patches are compared on a coarser lattice of pixels


@dataclass(frozen=True, slots=True)
class PatchBasis:
    """An affine map from patches to short descriptors, whose distances are those of the patches.

    Attributes:
        mean: Mean patch, (3 * side * side,).
        axes: Orthonormal rows, (dimensions, 3 * side * side).
        patch: Side of the patches described, in pixels.
        step: Distance between compared pixels. Above 1 the picture is low-passed first, so that nothing aliases: the
            energy thrown away lies in fine detail of large patches, which the smaller patches decide anyway.
    """

    mean: Tensor
    axes: Tensor
    patch: int
    step: int

    @property
    def side(self) -> int:
        """Compared pixels along a side."""
        return (self.patch - 1) // self.step + 1

    def describe(self, image: Tensor, stride: int) -> Tensor:
        """Descriptors (N, dimensions) of all patches of `image` (3, H, W), `stride` apart, row by row."""
        kernels = self.axes.view(-1, 3, self.side, self.side)
        described = functional.conv2d(low_pass(image, self.step)[None], kernels, stride=stride, dilation=self.step)
        # The kernel spans (side - 1) * step + 1 pixels, which may be a few less than the patch: drop what overhangs.
        rows, columns = ((n - self.patch) // stride + 1 for n in image.shape[-2:])
        # In memory one dimension after the other, as they come and as `nearest` multiplies them: nothing is turned.
        return (described[0, :, :rows, :columns].flatten(1) - (self.axes @ self.mean)[:, None]).t()

    def describe_grid(self, padded: Tensor, grid: PatchGrid) -> Tensor:
        """Descriptors (rows * columns, dimensions) of the patches that `grid` cuts out of `padded`, row by row."""
        patches = grid.cut(low_pass(padded, self.step))[..., :: self.step, :: self.step]
        return (patches.flatten(1, 2).transpose(0, 1).flatten(1) - self.mean) @ self.axes.t()


def low_pass(image: Tensor, step: int) -> Tensor:
    """`image` without the detail that a lattice of every `step`-th pixel cannot carry."""
    return image if step == 1 else gaussian_blur(image, 0.5 * step)


def fit_basis(image: Tensor, patch: int, energy: float, generator: torch.Generator) -> PatchBasis:
    """Principal axes of the patches of `image` (3, H, W) that keep at least `energy` (0-1) of their variance.

    Estimated on up to `SAMPLES` random patches by a randomized range finder with two power iterations (Halko,
    Martinsson & Tropp 2011), which is widened until the energy is reached.
    """
    step = -(-patch // MAX_SAMPLED_SIDE)
    samples = _random_patches(low_pass(image, step), patch, step, generator)
    mean = samples.mean(0)
    samples = samples - mean
    # In a picture of one color all that is left is rounding error, on whose near-equal eigenvalues LAPACK fails.
    samples = torch.where(samples.abs() < ROUNDING, 0, samples)
    variance = samples.square().sum()
    rank, full_rank = 32, min(samples.shape)
    while True:
        rank = min(rank, full_rank)
        values, axes = leading_axes(samples, rank, generator)
        kept = values.cumsum(0) >= energy * variance
        if kept.any() or rank == full_rank:
            dimensions = rank if not kept.any() else int(kept.to(torch.uint8).argmax()) + 1
            return PatchBasis(mean, axes[:dimensions].contiguous(), patch, step)
        rank *= 3


def _random_patches(image: Tensor, patch: int, step: int, generator: torch.Generator) -> Tensor:
    """Up to SAMPLES patches at random places, as rows (n, 3 * side * side)."""
    views = image.unfold(1, patch, 1).unfold(2, patch, 1)[..., ::step, ::step]
    rows, columns = views.shape[1:3]
    count = min(SAMPLES, rows * columns)
    chosen = torch.randperm(rows * columns, generator=generator)[:count].to(image.device)
    return views[:, chosen // columns, chosen % columns].transpose(0, 1).reshape(count, -1)


def leading_axes(samples: Tensor, rank: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The `rank` largest sums of squares along orthonormal axes, and these axes as rows, largest first."""
    chance = torch.randn(len(samples), rank, generator=generator, dtype=samples.dtype).to(samples.device)
    sketch = torch.linalg.qr(samples.t() @ chance).Q
    for _ in range(2):
        sketch = torch.linalg.qr(samples.t() @ (samples @ sketch)).Q
    projected = samples @ sketch
    values, vectors = torch.linalg.eigh((projected.t() @ projected).double())
    return values.float().flip(0), (sketch @ vectors.float()).t().flip(0)


def nearest(queries: Tensor, candidates: Tensor, penalty: Tensor | None = None) -> Tensor:
    """Index of the nearest candidate (M, D) for each query (N, D), as (N,), exact in float32 arithmetic.

    With a `penalty` (M,), that much is added to the squared distance to each candidate.
    """
    parts = [_best_columns(part, candidates.t(), penalty) for part in torch.split(queries, ROWS)]
    return torch.cat(parts)


def _best_columns(queries: Tensor, columns: Tensor, penalty: Tensor | None) -> Tensor:
    """The nearest of `columns` (D, M) for each row of `queries` (n, D)."""
    starts = range(0, columns.shape[1], CANDIDATES)
    buffer = queries.new_empty(len(queries), min(CANDIDATES, columns.shape[1]))
    tops = queries.new_empty(len(starts), len(queries))
    for top, start in zip(tops, starts, strict=True):
        scores = buffer[:, : columns.shape[1] - start]
        torch.amax(_score(queries, columns, penalty, start, out=scores), 1, out=top)
    winner = tops.argmax(0)
    best = torch.empty_like(winner)
    for block in torch.unique(winner).tolist():
        rows = (winner == block).nonzero()[:, 0]
        start = block * CANDIDATES
        best[rows] = start + _score(queries[rows], columns, penalty, start).argmax(1)
    return best


def _score(
    queries: Tensor, columns: Tensor, penalty: Tensor | None, start: int, *, out: Tensor | None = None
) -> Tensor:
    """How near each query is to the block of columns from `start` on, (n, up to CANDIDATES): more is nearer."""
    block = columns[:, start : start + CANDIDATES]
    cost = block.square().sum(0)
    if penalty is not None:
        cost += penalty[start : start + CANDIDATES]
    # |q - c|^2 = |q|^2 - 2 (q.c - |c|^2 / 2), and |q|^2 is the same for all.
    return torch.addmm(cost, queries, block, beta=-0.5, out=out)
