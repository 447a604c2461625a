"""Temporal hints: what a method reuses from the previous frame, so that a clip does not flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stylizer.color import PaletteTransfer
from stylizer.synthesis.motion import scale_displacement
from stylizer.synthesis.pyramid import resize

KEEP_BONUS = 0.3  # similarity by which a new match has to exceed the previous one
PRIOR_SHARE = 0.8  # weight of the previous painting where it is valid
PALETTE_RATE = 0.1  # weight of the current frame in the moving average of palette transfers

MatchGrids = dict[str, Tensor]
"""Matches (2, rows, columns), int16, by level and style."""


@dataclass(slots=True, eq=False)
class TemporalHints:
    """The previous painting, warped to the current frame, and the state that this painting leaves for the next one.

    Attributes:
        prior: The warped previous painting, (1, 3, H, W); None at the first frame of a scene.
        validity: Where `prior` is valid, (1, 1, H, W) in [0, 1].
        displacement: From each pixel to its position in the frame that `matches` belong to, (1, 2, h, w).
        matches: Matches of that frame.
        tables: Moving averages of palette transfers, by name.
        new_matches: Matches of this frame.
        new_tables: Likewise, including this frame.
    """

    prior: Tensor | None = None
    validity: Tensor | None = None
    displacement: Tensor | None = None
    matches: MatchGrids = field(default_factory=dict)
    tables: dict[str, Tensor] = field(default_factory=dict)
    new_matches: MatchGrids = field(default_factory=dict)
    new_tables: dict[str, Tensor] = field(default_factory=dict)

    def smooth_palette(self, name: str, transfer: PaletteTransfer) -> PaletteTransfer:
        """Return the moving average of a palette transfer over time; the first one of a scene is returned unchanged."""
        before = self.tables.get(name)
        table = transfer.table if before is None else torch.lerp(before.float(), transfer.table, PALETTE_RATE)
        self.new_tables[name] = table.half()
        return PaletteTransfer(self.new_tables[name].float())

    def smooth_palettes(self, name: str, transfers: Sequence[PaletteTransfer]) -> tuple[PaletteTransfer, ...]:
        """Apply `smooth_palette` to several transfers, such as one per region."""
        return tuple(self.smooth_palette(f"{name}-{number}", transfer) for number, transfer in enumerate(transfers))

    def keep_matches(self, key: str, matches: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
        """Keep the previous matches where they are about as good as new ones.

        Args:
            key: Level and style.
            matches: New matches, (2, rows, columns).
            queries: (rows, columns, D).
            keys: (style rows, style columns, D).
        """
        found = self._warped_matches(key, matches.shape[1:], keys.shape[:2])
        if found is None:
            return matches
        warped, is_inside = found
        similarity = [(queries * keys[place[0], place[1]]).sum(2) for place in (matches, warped)]
        return torch.where(is_inside & (similarity[1] + KEEP_BONUS > similarity[0]), warped, matches)

    def record_matches(self, key: str, matches: Tensor) -> None:
        """Record the matches of a level and style for the next frame."""
        self.new_matches[key] = matches.to(torch.int16).cpu()

    def blend_prior(self, painting: Tensor) -> Tensor:
        """Blend the previous painting into `painting` (1, 3, h, w) of a level where it is valid."""
        if self.prior is None or self.validity is None:
            return painting
        size = (painting.shape[2], painting.shape[3])
        share = PRIOR_SHARE * resize(self.validity[0], size)[None].to(painting)
        return torch.lerp(painting, resize(self.prior[0], size)[None].to(painting), share)

    def _warped_matches(self, key: str, size: Sequence[int], bank: Sequence[int]) -> tuple[Tensor, Tensor] | None:
        """Return the previous matches at each cell's previous position, and where that is within the frame."""
        before = self.matches.get(key)
        if before is None or self.displacement is None or before.shape[1:] != tuple(size):
            return None
        rows, columns = size
        scaled = scale_displacement(self.displacement, (rows, columns))
        grid = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).float()
        place = (grid + scaled.flip(1)[0].to(grid)).round().long()
        last = torch.tensor([rows - 1, columns - 1]).view(2, 1, 1)
        is_inside = ((place >= 0) & (place <= last)).all(0)
        place = torch.minimum(place.clamp(min=0), last)
        taken = before[:, place[0], place[1]].long()
        is_inside &= (taken[0] < bank[0]) & (taken[1] < bank[1])
        return taken.clamp(min=0).where(is_inside, 0), is_inside
