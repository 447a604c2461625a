"""Shares of regions, from soft masks and weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylizer.regions import MAX_SIDE, RegionMasks, Regions


def _mask(columns: slice, value: float = 1.0, size: tuple[int, int] = (32, 48)) -> Tensor:
    mask = torch.zeros(1, 1, *size)
    mask[..., columns] = value
    return mask


def _regions(weights: list[float], masks: list[Tensor | None]) -> Regions:
    region_masks = RegionMasks(weights, [mask is not None for mask in masks])
    for mask in masks:
        if mask is not None:
            region_masks.add(mask)
    regions = region_masks.regions(0)
    assert regions is not None
    return regions


def test_unmasked_styles_share_one_region_where_no_mask_is() -> None:
    regions = _regions([1, 1, 2], [None, _mask(slice(24, 48)), None])
    assert regions.groups == ((0, 2), (1,))
    assert torch.equal(regions.shares[0, :, 0, 0], torch.tensor([1.0, 0.0]))
    assert torch.equal(regions.shares[0, :, 0, 47], torch.tensor([0.0, 1.0]))


def test_overlapping_masks_share_by_weight_times_mask() -> None:
    regions = _regions([1, 3, 1], [None, _mask(slice(0, 32), 0.5), _mask(slice(16, 48), 1.0)])
    torch.testing.assert_close(regions.shares[0, :, 0, 0], torch.tensor([0.5, 0.5, 0.0]))
    torch.testing.assert_close(regions.shares[0, :, 0, 20], torch.tensor([0.0, 0.6, 0.4]))
    torch.testing.assert_close(regions.shares[0, :, 0, 40], torch.tensor([0.0, 0.0, 1.0]))


def test_complementary_soft_masks_leave_nothing_to_the_rest() -> None:
    ramp = torch.linspace(0, 1, 48).expand(1, 1, 32, 48)
    regions = _regions([1, 1, 1], [None, ramp, 1 - ramp])
    assert regions.shares[0, 0].max() < 1e-6


def test_coverage_is_the_sum_of_masks_if_all_have_one() -> None:
    masks = RegionMasks([1, 1], [True, True])
    masks.add(_mask(slice(0, 16), 0.75))
    masks.add(_mask(slice(8, 32), 0.5))
    assert masks.coverage is not None
    assert masks.coverage[0, 0, 0, [0, 10, 20, 40]].tolist() == [0.75, 1.0, 0.5, 0.0]


def test_shares_sum_to_one_everywhere() -> None:
    for base in ([], [None]):
        regions = _regions([1] * (2 + len(base)), [*base, _mask(slice(0, 10)), _mask(slice(20, 30), 0.3)])
        torch.testing.assert_close(regions.shares.sum(1), torch.ones(1, 32, 48))


def test_beyond_all_masks_the_nearest_region_continues() -> None:
    regions = _regions([1, 1], [_mask(slice(0, 12)), _mask(slice(36, 48))])
    assert regions.shares[0, 0, 0, 14] > 0.9
    assert regions.shares[0, 1, 0, 34] > 0.9


@pytest.mark.parametrize("masked", [[True], [False, False]])
def test_one_region_needs_no_shares(masked: list[bool]) -> None:
    masks = RegionMasks([1] * len(masked), masked)
    if masked == [True]:
        masks.add(_mask(slice(0, 8)))
    assert masks.regions(0) is None


def test_shares_of_a_large_picture_are_stored_reduced() -> None:
    mask = torch.zeros(1, 1, 8, 2 * MAX_SIDE)
    assert _regions([1, 1], [None, mask]).shares.shape == (1, 2, 4, MAX_SIDE)


def test_cells_follow_a_hard_mask_exactly() -> None:
    owners = _regions([1, 1], [None, _mask(slice(24, 48))]).owners(8, 12)
    assert torch.equal(owners, (torch.arange(12) >= 6).long().expand(8, 12))


def test_cells_are_dealt_out_in_proportion_to_soft_shares() -> None:
    ramp = torch.linspace(0, 1, 128).expand(1, 1, 96, 128)
    owners = _regions([1, 1], [None, ramp]).owners(96, 128).float()
    means = torch.nn.functional.avg_pool2d(owners[None], (96, 16))[0, 0]
    torch.testing.assert_close(means, (torch.arange(8) + 0.5) / 8, atol=0.15, rtol=0)
    neighbors = (owners[:, 1:] == owners[:, :-1])[:, 48:80].float().mean()
    assert neighbors > 0.7  # independent cells would agree half the time


def test_pixels_of_a_region_leave_the_others_out() -> None:
    picture = torch.zeros(3, 32, 48)
    picture[:, :, 24:] = 1
    regions = _regions([1, 1], [None, _mask(slice(24, 48))])
    assert regions.pixels_of(0, picture).max() == 0
    assert regions.pixels_of(1, picture).min() == 1


def test_a_region_of_no_pixels_is_estimated_from_all() -> None:
    picture = torch.rand(3, 32, 48)
    regions = _regions([1, 1], [None, _mask(slice(0, 0))])
    assert torch.equal(regions.pixels_of(1, picture), picture)


def test_mixing_in_place_by_tiles_equals_the_whole() -> None:
    ramp = torch.linspace(0, 1, 48).expand(1, 1, 32, 48)
    regions = _regions([1, 1], [None, ramp])
    painting = torch.rand(1, 3, 32, 48)
    transforms = [lambda picture: picture * 0.5, lambda picture: 1 - picture]
    whole = regions.mix(painting[0], transforms)
    torch.testing.assert_close(regions.mix_(painting.clone(), transforms)[0], whole, atol=1e-5, rtol=0)
