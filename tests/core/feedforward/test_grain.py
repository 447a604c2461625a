from __future__ import annotations

import pytest
import torch

from stylizer.feedforward.grain import GRAIN, SIDE, Grain


def test_grain_at_a_place_does_not_depend_on_the_crop() -> None:
    grain = Grain(1)
    whole, part = grain.at(-16, -16, 320, 400), grain.at(40, 104, 64, 80)
    assert part.shape == (1, 1, 64, 80)
    assert torch.equal(part, whole[:, :, 56 : 56 + 64, 120 : 120 + 80])


def test_it_goes_on_beyond_where_it_repeats() -> None:
    row = Grain(1).at(0, 0, 8, 2 * SIDE + 8)
    assert row.shape == (1, 1, 8, 2 * SIDE + 8)
    assert torch.equal(row[..., :8], row[..., -8:])


def test_each_seed_has_its_own() -> None:
    one, same, other = (Grain(seed).at(0, 0, 512, 512) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert float(one.std()) == pytest.approx(GRAIN, rel=0.02)
    assert float((one - other).std()) == pytest.approx(2**0.5 * GRAIN, rel=0.02)
