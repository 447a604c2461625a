"""Where a photo must stay recognizable."""

from __future__ import annotations

import pytest
import torch

from stylizer.synthesis.content_mask import estimate_content_mask


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 64), (70, 9), (33, 500), (401, 350)])
def test_the_mask_has_the_photos_size_and_lies_between_0_and_1(height: int, width: int) -> None:
    mask = estimate_content_mask(torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)))
    assert mask.shape == (1, height, width)
    assert mask.isfinite().all()
    assert mask.min() >= 0
    assert mask.max() <= 1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_photo_of_one_color_has_nothing_to_keep(level: float) -> None:
    mask = estimate_content_mask(torch.full((3, 60, 80), level))
    assert mask.max() < 0.05


def test_an_edge_counts_more_than_a_flat_place() -> None:
    photo = torch.full((3, 120, 160), 0.3)
    photo[:, :, 80:] = 0.7
    mask = estimate_content_mask(photo)[0]
    assert mask[40:80, 78:82].mean() > 1.5 * mask[40:80, 30:40].mean()
    assert mask[40:80, 78:82].mean() > 1.5 * mask[40:80, 120:130].mean()


def test_a_thing_of_rare_color_counts_more_than_its_surroundings() -> None:
    photo = torch.full((3, 120, 160), 0.4)
    photo[0, 40:80, 60:100] = 0.9
    mask = estimate_content_mask(photo)[0]
    assert mask[50:70, 70:90].mean() > 2 * mask[:20].mean()


def test_isolated_edge_counts_more_than_texture() -> None:
    photo = torch.full((3, 120, 240), 0.4)
    photo[:, 30:90, 60:62] = 0.7  # a line to the left, a hatching to the right
    photo[:, 30:90, 150:210:4] = 0.7
    mask = estimate_content_mask(photo)[0]
    assert mask[50:70, 58:64].mean() > mask[50:70, 170:190].mean()
