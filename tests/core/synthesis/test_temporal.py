from __future__ import annotations

import torch

from stylizer.color import PaletteTransfer
from stylizer.synthesis.temporal import KEEP_BONUS, PALETTE_RATE, TemporalHints


def keys_of(rows: int, columns: int) -> torch.Tensor:
    """Return orthonormal descriptors, one for each cell of a style."""
    return torch.eye(rows * columns).view(rows, columns, rows * columns)


def test_earlier_match_is_kept_while_about_as_good() -> None:
    keys = keys_of(2, 2)
    better, worse = torch.tensor([[[0]], [[0]]]), torch.tensor([[[1]], [[1]]], dtype=torch.int16)
    hints = TemporalHints(displacement=torch.zeros(1, 2, 4, 4), matches={"0-0": worse})
    for lead, expected in ((KEEP_BONUS - 0.05, worse), (KEEP_BONUS + 0.05, better)):
        query = (0.5 * keys[1, 1] + (0.5 + lead) * keys[0, 0]).view(1, 1, 4)
        assert torch.equal(hints.keep_matches("0-0", better, query, keys).long(), expected.long())


def test_earlier_matches_move_with_the_content() -> None:
    keys = keys_of(4, 8)
    before = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(8), indexing="ij")).to(torch.int16)
    displacement = torch.zeros(1, 2, 16, 32)
    displacement[:, 0] = 8  # pixels: two cells
    hints = TemporalHints(displacement=displacement, matches={"0-0": before})
    new = torch.zeros(2, 4, 8, dtype=torch.long)
    kept = hints.keep_matches("0-0", new, torch.zeros(4, 8, 32), keys)
    assert torch.equal(kept[:, :, :6], before[:, :, 2:].long())
    assert not kept[:, :, 6:].any()  # nothing is known of what was outside


def test_matches_of_another_level_are_ignored() -> None:
    hints = TemporalHints(displacement=torch.zeros(1, 2, 4, 4), matches={"0-0": torch.ones(2, 3, 3).to(torch.int16)})
    new = torch.zeros(2, 2, 2, dtype=torch.long)
    assert torch.equal(hints.keep_matches("0-0", new, torch.zeros(2, 2, 4), keys_of(2, 2)), new)
    assert torch.equal(hints.keep_matches("1-0", new, torch.zeros(2, 2, 4), keys_of(2, 2)), new)


def test_palette_transfer_follows_slowly() -> None:
    dark, bright = (PaletteTransfer(torch.full((1, 3, 2, 2, 2), value)) for value in (0.25, 0.75))
    first = TemporalHints()
    assert torch.equal(first.smooth_palette("guide", dark).table, dark.table)
    second = TemporalHints(tables=first.new_tables)
    assert torch.allclose(second.smooth_palette("guide", bright).table, dark.table + PALETTE_RATE * 0.5, atol=1e-3)
    assert torch.equal(second.smooth_palette("other", bright).table, bright.table)


def test_prior_is_blended_where_it_is_valid() -> None:
    validity = torch.zeros(1, 1, 8, 8)
    validity[..., :4] = 1
    hints = TemporalHints(prior=torch.ones(1, 3, 8, 8), validity=validity)
    blended = hints.blend_prior(torch.zeros(1, 3, 8, 8))
    assert float(blended[..., :3].min()) > 0.5
    assert not blended[..., 5:].any()
