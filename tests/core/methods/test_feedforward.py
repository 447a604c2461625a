"""The feed-forward method by itself: what it looks at, what it need not look at, and what each quality adds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numerics import CAT, read_tensor
from PIL import Image
from torch import Tensor

from stylizer import Options, stylize
from stylizer.feedforward import network
from stylizer.losses import style_loss, style_scales
from stylizer.methods import StyleInput, Task, feedforward
from stylizer.styles import STATISTICS_SIDE, catalog
from stylizer.synthesis.pyramid import resize
from stylizer.tiles import tiles

Paint = Callable[..., Tensor]


@pytest.fixture(scope="module")
def cat() -> Tensor:
    """A photo with a long side of 160 pixels."""
    return read_tensor(CAT, 160)


def _swatch(style: str, side: int = 160) -> Tensor:
    return read_tensor(catalog()[style].swatch, side)


@torch.inference_mode()
def _distance(image: Tensor, style: Tensor) -> float:
    ours, wanted = (network.load().style_statistics(x).levels[1:] for x in (image, style))
    return float(style_loss(ours, wanted, [style_scales(want) for want in wanted], [1.0] * len(wanted)))


def test_high_quality_is_nearer_to_the_style_and_draft_softer(paint: Paint, cat: Tensor) -> None:
    picture = _swatch("impasto-swirls")
    draft, standard, high = (
        paint("feedforward", cat, (picture, 1.0), quality=quality) for quality in ("draft", "standard", "high")
    )
    assert _distance(high, picture) < 0.8 * _distance(standard, picture)
    assert draft.diff(dim=3).abs().mean() < 0.9 * standard.diff(dim=3).abs().mean()


def test_inside_a_mask_only_what_lies_inside_counts(paint: Paint, cat: Tensor) -> None:
    """Statistics taken over the whole picture would be made up for inside the mask by what the photo lacks outside."""
    style, mask = _swatch("mosaic"), torch.zeros_like(cat[:, :1])
    mask[..., : cat.shape[3] // 2] = 1
    bright = torch.where(mask > 0, cat, torch.ones(()))
    left = slice(0, cat.shape[3] // 2 - 8)
    own, other = (
        paint("feedforward", photo, (style, 1.0), mask=mask, quality="standard")[..., left] for photo in (cat, bright)
    )
    unmasked = paint("feedforward", bright, (style, 1.0), quality="standard")[..., left]
    assert (own - other).abs().mean() < 0.5 * (own - unmasked).abs().mean()


def test_tiles_of_large_pictures_show_no_seam(cat: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    style = _swatch("stained-glass")
    task = Task(cat, (StyleInput(lambda: style),), Options(size=160), None, None, lambda *_: None)

    @torch.inference_mode()
    def stylized() -> tuple[Tensor, int]:
        tiles_done: list[Tensor] = []
        return feedforward.TiledStylizer(task).stylize(cat, 0.93, tiles_done.append), len(tiles_done)

    whole, _ = stylized()
    sides = [48, 1024]  # to paint the tiles; and the photo is measured whole
    monkeypatch.setattr(feedforward, "tiles", lambda size, _: tiles(size, sides.pop(0)))
    tiled, count = stylized()
    assert count > 8
    assert (whole - tiled).abs().max() < 0.05
    assert (whole - tiled).abs().mean() < 0.002


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (64, [64]),
        (512, [512]),
        (724, [724]),
        (725, [362, 725]),
        (1024, [512, 1024]),
        (8192, [512, 1024, 2048, 4096, 8192]),
    ],
)
def test_painting_begins_at_about_512_pixels_and_doubles(size: int, sides: list[int]) -> None:
    levels = feedforward.coarse_to_fine_sizes(size * 3 // 4, size)
    assert [width for _, width in levels] == sides
    assert levels[-1] == (size * 3 // 4, size)
    assert all(abs(width * 3 / 4 - height) <= 1 for height, width in levels)


def test_strokes_grow_with_the_painting(paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen at the same size, a larger painting is nearly as far on the way to the style as a small one."""
    photo, style = read_tensor(CAT, 400), _swatch("mosaic", 200)
    small = resize(photo[0], (photo.shape[2] // 2, 200))[None]

    def seen(painting: Tensor) -> float:
        return _distance(resize(painting[0], (small.shape[2], 200))[None], style)

    least = seen(paint("feedforward", small, (style, 1.0), quality="standard"))
    once = seen(paint("feedforward", photo, (style, 1.0), quality="standard"))
    monkeypatch.setattr(feedforward, "MAX_STYLE_SIDE", 200)
    assert seen(paint("feedforward", photo, (style, 1.0), quality="standard")) - least < 0.5 * (once - least)


def test_detail_is_what_the_photo_adds_at_the_new_size() -> None:
    photo = torch.rand(1, 3, 40, 48)
    coarse = resize(photo[0], (20, 24))[None]
    assert (feedforward.upsample_with_detail(coarse, photo).float() / 255 - photo).abs().max() < 0.003
    smooth = feedforward.upsample_bicubic(coarse, (40, 48)).clamp(0, 1)
    half = 0.5 * coarse
    with_none = feedforward.upsample_with_detail(half, smooth).float() / 255
    assert (with_none - feedforward.upsample_bicubic(half, (40, 48))).abs().mean() < 0.05


def test_photo_judged_by_its_thumbnail_keeps_the_colors(
    paint: Paint, cat: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = _swatch("woodcut")
    whole = paint("feedforward", cat, (style, 1.0), quality="standard")
    monkeypatch.setattr(feedforward, "TILE", 80)
    reduced = paint("feedforward", cat, (style, 1.0), quality="standard")
    assert (whole.mean((2, 3)) - reduced.mean((2, 3))).abs().max() < 0.05


def test_built_in_style_paints_like_its_picture() -> None:
    cached, measured = (
        np.asarray(stylize(CAT, style, method="feedforward", options=Options(size=STATISTICS_SIDE)).image, float)
        for style in ("mosaic", catalog()["mosaic"].swatch)
    )
    # Not the same: the cached statistics are those of the picture with its mirror image around it.
    assert np.abs(cached - measured).mean() < 5


@pytest.mark.parametrize("size", [(63, 1001), (97, 71)])
def test_odd_sizes_can_be_painted(size: tuple[int, int]) -> None:
    photo = Image.effect_noise(size, 60).convert("RGB")
    painting = stylize(photo, "woodcut", method="feedforward", options=Options(size=max(size)))
    assert painting.image.size == size


def test_flat_photo_is_painted_without_a_frame(paint: Paint) -> None:
    """The borders have the mean color of the inside, as far as strokes of a tenth of the side allow."""
    sky = torch.full((1, 3, 256, 320), 0.6) + 0.02 * torch.rand(1, 3, 256, 320)
    painting = paint("feedforward", sky, (_swatch("impasto-swirls"), 1.0), quality="standard")
    edge = torch.ones(256, 320, dtype=torch.bool)
    edge[8:-8, 8:-8] = False
    inside = painting[:, :, 32:-32, 32:-32].mean((2, 3))
    assert (painting[:, :, edge].mean(2) - inside).abs().max() < 0.05


def test_a_painting_in_luminance_keeps_the_colors_when_refined() -> None:
    photo = Image.effect_noise((96, 64), 50).convert("RGB")
    photo.paste((200, 60, 40), (0, 0, 48, 64))
    painting = stylize(
        photo,
        "pen-hatching",
        method="feedforward",
        options=Options(size=96, quality="high", preserve_color="luminance"),
    )
    red, gray = (np.asarray(painting.image, float)[:, part].mean((0, 1)) for part in (slice(0, 40), slice(56, 96)))
    assert red[0] > red[1] + 30
    assert np.ptp(gray) < 6


def test_content_mask_chooses_between_detail_and_large_strokes(cat: Tensor) -> None:
    style, photo = _swatch("impasto-swirls"), resize(cat[0], (384, 512))[None]
    white = torch.ones(1, 1, 384, 512)

    def painted(mask: Tensor) -> Tensor:
        task = Task(photo, (StyleInput(lambda: style),), Options(size=512), None, mask, lambda *_: None)
        with torch.inference_mode():
            return feedforward.paint(task)

    detailed, broad, half = painted(white), painted(0 * white), painted(0.575 * white)
    assert (detailed - broad).abs().mean() > 0.05
    assert (half - detailed).abs().mean() < 0.7 * (detailed - broad).abs().mean()
    assert (half - broad).abs().mean() < 0.7 * (detailed - broad).abs().mean()
