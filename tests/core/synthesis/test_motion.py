from __future__ import annotations

import pytest
import torch
from clip_files import SIDE, panned
from torch import Tensor

from stylizer.synthesis.motion import (
    compose,
    estimate_motion,
    inside,
    warp,
)


def frames(step: tuple[float, float], noise: float = 0) -> list[Tensor]:
    return [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in panned(2, step, noise=noise)]


@pytest.mark.parametrize("step", [(2, 1), (-1.5, 0.5), (6, -3), (0.4, 0)])
def test_motion_of_a_panning_camera_is_found(step: tuple[float, float]) -> None:
    motion = estimate_motion(*frames(step, noise=1))
    error = motion.displacement[0] - torch.tensor(step, dtype=torch.float32).view(2, 1, 1)
    assert not motion.is_still
    assert float(error.norm(dim=0)[8:-8, 8:-8].median()) < 0.2


def test_object_moves_before_a_still_background() -> None:
    before, _ = frames((0, 0))
    after = before.clone()
    patch = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    patch = torch.nn.functional.interpolate(patch, (24, 24), mode="bicubic").clamp(0, 1)
    before[:, :, 20:44, 20:44] = patch
    after[:, :, 20:44, 23:47] = patch
    displacement = estimate_motion(before, after).displacement[0]
    assert float((displacement[0, 26:38, 29:41] + 3).abs().median()) < 0.5
    assert float(displacement[:, :, 70:].abs().max()) < 0.2


def test_warp_by_the_motion_restores_the_frame() -> None:
    before, after = frames((3, 1))
    moved = warp(before, estimate_motion(before, after).displacement, "bicubic")
    error = (moved - after)[:, :, 8:-8, 8:-8].abs().mean()
    assert float(error) < 0.2 * float((before - after)[:, :, 8:-8, 8:-8].abs().mean())


def test_composed_displacements_add_up() -> None:
    first, then = (torch.zeros(1, 2, 20, 30) for _ in range(2))
    first[:, 0], then[:, 0], then[:, 1] = 2, 3, -1
    assert torch.allclose(compose(first, then), torch.tensor([5.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 20, 30))


def test_places_beyond_the_border_are_outside() -> None:
    displacement = torch.zeros(1, 2, SIDE[1], SIDE[0])
    displacement[:, 0] = 5
    mask = inside(displacement)[0, 0]
    assert not mask[:, -5:].any()
    assert mask[:, :-5].all()
