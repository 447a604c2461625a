"""Dense motion between two frames: iterative Lucas-Kanade, coarse to fine, regularized by the motion of the camera.

Lucas & Kanade 1981 in the dense form of Le Besnerais & Champagnat, "Dense Optical Flow by Iterative Local Window
Registration", ICIP 2005. Windows with too little texture (aperture problem) get the motion of the camera, which is an
affine map fitted to all windows by iteratively reweighted least squares (Black & Anandan 1996).

A displacement (1, 2, h, w) holds, for each pixel of a frame, the horizontal and vertical distance in pixels to the same
point in another frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.synthesis.pyramid import gaussian_blur, resize, scale_size

COARSEST = 20  # long side in pixels of the coarsest level
ITERATIONS = 4  # per level
WINDOW = 2.0  # standard deviation of a window in pixels
TEXTURE = 1e-4  # squared gradient at which the motion of a window has the same weight as that of the camera
MAX_STEP = 2.0  # pixels per iteration
FIT_ROUNDS, FIT_SCALE = 8, 0.5  # rounds of the affine fit; residual in pixels above which a window is downweighted
STILL = 0.15  # displacement in pixels below which the camera is considered static
LOCAL_GAIN = 0.012  # reduction of the difference above which a pixel may move independently of the camera


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion between two frames.

    Attributes:
        displacement: (1, 2, h, w), see the module.
        is_still: Whether every displacement is 0.
    """

    displacement: Tensor
    is_still: bool


def warp(picture: Tensor, displacement: Tensor, mode: str = "bilinear") -> Tensor:
    """Sample `picture` (1, C, H, W) at each pixel plus `displacement` (1, 2, H, W), with replication at the border."""
    height, width = picture.shape[2:]
    if not displacement.any():
        return picture
    place = torch.stack((displacement[0, 0] / max(1, width), displacement[0, 1] / max(1, height)), -1) * 2
    sampled = functional.grid_sample(
        picture, _identity(height, width, picture) + place[None], mode=mode, padding_mode="border", align_corners=False
    )
    return sampled.clamp_(0, 1) if mode == "bicubic" else sampled


def scale_displacement(displacement: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample a displacement to `size` (height, width), in pixels of that size."""
    height, width = displacement.shape[2:]
    if (height, width) == size:
        return displacement
    scaled = functional.interpolate(displacement, size, mode="bilinear", align_corners=False)
    return scaled * _factors(size[1] / width, size[0] / height, displacement)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the composition of two displacements: `first`, then `then` from its end."""
    return first + warp(then, first)


def inside(displacement: Tensor) -> Tensor:
    """Return 1 where a displacement stays within the frame, else 0: (1, 1, h, w)."""
    height, width = displacement.shape[2:]
    place = displacement[0] + torch.stack(
        torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")[::-1]
    ).to(displacement)
    ok = (place[0] >= -0.5) & (place[0] <= width - 0.5) & (place[1] >= -0.5) & (place[1] <= height - 0.5)
    return ok[None, None].to(displacement)


def difference(picture: Tensor, other: Tensor) -> Tensor:
    """Return the local difference of two pictures (1, 3, h, w), smoothed against noise: (1, 1, h, w)."""
    return gaussian_blur((picture - other)[0], 1.5).abs().mean(0, keepdim=True)[None]


def estimate_motion(reference: Tensor, current: Tensor, start: Tensor | None = None) -> Motion:
    """Estimate the displacement from each pixel of `current` to the same point in `reference`.

    Args:
        reference: (1, 3, h, w), sRGB in [0, 1].
        current: Likewise.
        start: Initial displacement.
    """
    if torch.equal(reference, current):
        return Motion(torch.zeros_like(current[:, :2]), True)
    sizes = _level_sizes((current.shape[2], current.shape[3]), start is not None)
    local = torch.zeros(1, 2, *sizes[0], dtype=current.dtype) if start is None else start
    camera = local
    for size in sizes:
        local = scale_displacement(local, size)
        levels = [gaussian_blur(resize(picture[0], size), 0.7)[None] for picture in (reference, current)]
        local, camera = _refine(levels[0], levels[1], local)
    errors = [difference(warp(reference, motion), current) for motion in (camera, local)]
    independent = gaussian_blur((errors[0] - errors[1] > LOCAL_GAIN).to(current)[0], 2.0)[None]
    independent = (2 * independent).clamp_(max=1)
    is_still = not independent.any() and not camera.any()
    return Motion(torch.zeros_like(camera) if is_still else torch.lerp(camera, local, independent), is_still)


def _level_sizes(size: tuple[int, int], is_refinement: bool) -> list[tuple[int, int]]:
    """Return the sizes of the levels, coarse to fine; with an initial displacement, only the two finest."""
    sizes = [size]
    while max(sizes[-1]) > 2 * COARSEST and not (is_refinement and len(sizes) == 2):
        sizes.append(scale_size(size, 0.5 ** len(sizes)))
    return sizes[::-1]


def _refine(reference: Tensor, current: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Refine a displacement at one level; return it and that of the camera alone."""
    across, down = _gradients(current)
    products = torch.cat([(across * across), (across * down), (down * down)]).sum(1)
    xx, xy, yy = gaussian_blur(products, WINDOW)
    floor = TEXTURE / 4
    determinant = (xx + floor) * (yy + floor) - xy * xy
    texture = ((xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy * xy).sqrt()).clamp_(min=0)  # the smaller eigenvalue
    weight = texture / (texture + TEXTURE)
    camera = displacement
    for _ in range(ITERATIONS):
        change = current - warp(reference, displacement)
        steps = torch.cat([across * change, down * change]).sum(1)
        x, y = gaussian_blur(steps, WINDOW)
        move = torch.stack(((yy + floor) * x - xy * y, (xx + floor) * y - xy * x))[None] / determinant
        displacement = displacement + move.clamp_(-MAX_STEP, MAX_STEP)
        camera = _fit_camera(displacement, weight)
        displacement = torch.lerp(camera, displacement, weight)
    return displacement, camera


def _gradients(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return the horizontal and vertical derivatives by central differences."""
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    return across, down


def _fit_camera(displacement: Tensor, weight: Tensor) -> Tensor:
    """Fit an affine map to a displacement (1, 2, h, w), robustly, and return it as one; `weight` is (h, w)."""
    height, width = weight.shape
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float32),
        torch.linspace(-1, 1, width, dtype=torch.float32),
        indexing="ij",
    )
    basis = torch.stack((torch.ones_like(rows), columns, rows), -1).flatten(0, 1).to(displacement)
    target = displacement[0].flatten(1).T
    base, robust = weight.flatten() + 1e-4, torch.ones_like(weight.flatten())
    regular = 1e-3 * base.sum() * torch.diag(torch.tensor([0.0, 1.0, 1.0])).to(displacement)
    for _ in range(FIT_ROUNDS):
        weighted = basis * (base * robust)[:, None]
        solution = torch.linalg.solve(weighted.T @ basis + regular + 1e-9 * torch.eye(3), weighted.T @ target)
        error = (basis @ solution - target).square().sum(1)
        robust = (1 + error / FIT_SCALE**2).square().reciprocal()
    fitted = (basis @ solution).T.view_as(displacement)
    return torch.zeros_like(fitted) if fitted.abs().max() < STILL else fitted


def _identity(height: int, width: int, like: Tensor) -> Tensor:
    """Return the identity grid of `grid_sample`, (1, h, w, 2)."""
    rows, columns = ((torch.arange(count, dtype=torch.float32) + 0.5) * (2 / count) - 1 for count in (height, width))
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
    return place[None].to(like)


def _factors(across: float, down: float, like: Tensor) -> Tensor:
    return torch.tensor([across, down], dtype=torch.float32).view(1, 2, 1, 1).to(like)
