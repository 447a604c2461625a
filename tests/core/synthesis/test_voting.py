from __future__ import annotations

import torch

from stylizer.synthesis.style_bank import StyleBank
from stylizer.synthesis.voting import merge_patches


def _own_pieces(picture: torch.Tensor) -> torch.Tensor:
    """Pieces of a picture at their own places."""
    rows, columns = picture.shape[2] // 4, picture.shape[3] // 4
    places = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    return StyleBank.build(picture).patches(places)


def test_merge_of_own_pieces_is_the_picture() -> None:
    picture = torch.rand(1, 3, 24, 32)
    merged = merge_patches(picture, _own_pieces(picture), torch.zeros_like(picture), torch.zeros(1, 1, 24, 32), 2)
    # At the border pieces show the mirrored picture, which is not what lies there.
    torch.testing.assert_close(merged[..., 8:-8, 8:-8], picture[..., 8:-8, 8:-8], atol=1e-4, rtol=0)


def test_merge_votes_an_outlying_piece_down() -> None:
    picture = torch.full((1, 3, 24, 24), 0.5)
    pieces = _own_pieces(picture).clone()
    pieces[:, 3, 3] = 1.0
    merged = merge_patches(picture, pieces, picture, torch.zeros(1, 1, 24, 24), 3)
    # By its window alone the piece would have more than a third of the vote in its middle.
    assert (merged - 0.5).abs().max() < 0.05


def test_fusion_weight_sets_the_share_of_the_guide() -> None:
    picture, guide = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.8)
    for weight, expected in ((0.0, 0.2), (1.0, 0.5), (3.0, 0.65), (1e6, 0.8)):
        merged = merge_patches(picture, _own_pieces(picture), guide, torch.full((1, 1, 16, 16), weight), 2)
        torch.testing.assert_close(merged, torch.full_like(merged, expected), atol=1e-3, rtol=0)
