from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from stylizer import Options, stylize
from stylizer.color import Palette, match_distribution, to_oklab
from stylizer.methods.color import fit_color_map
from stylizer.progress import Progress
from stylizer.tensors import to_tensor


def sky(height: int = 96, width: int = 128) -> Image.Image:
    """A gradient of few 8-bit steps over dark ground with a red house, with slight noise."""
    generator = np.random.default_rng(0)
    rows = np.linspace(0, 1, height)[:, None, None]
    pixels = np.array([120, 150, 190]) + rows * np.array([60, 40, 20]) + generator.normal(0, 1, (height, width, 3))
    pixels[height * 3 // 4 :] = np.array([60, 70, 40]) + generator.normal(0, 6, (height // 4, width, 3))
    pixels[height // 2 : height * 7 // 8, width // 4 : width // 2] = [150, 50, 40]
    return Image.fromarray(np.uint8(pixels.clip(0, 255)))


def art(colors: tuple[tuple[int, int, int], ...] = ((20, 30, 90), (230, 180, 60), (240, 235, 220))) -> Image.Image:
    """Blocks of few colors."""
    generator = np.random.default_rng(1)
    return Image.fromarray(np.array(colors, np.uint8)[generator.integers(0, len(colors), (8, 8))]).resize((96, 96), 0)


def recolor(
    photo: Image.Image, style: Image.Image, **options: object
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    painting = stylize(photo, style, method="color", options=Options(size=128, **options))  # type: ignore[arg-type]
    return np.asarray(painting.image, np.float64)


def test_result_has_the_mean_and_spread_of_the_style() -> None:
    photo, wanted = np.asarray(sky(), np.float64), np.asarray(art(), np.float64)
    painted = recolor(sky(), art())
    for statistic, share in ((np.mean, 0.5), (np.std, 0.95)):  # slopes are limited, and with them the spread
        before = np.abs(statistic(photo, axis=(0, 1)) - statistic(wanted, axis=(0, 1))).mean()
        after = np.abs(statistic(painted, axis=(0, 1)) - statistic(wanted, axis=(0, 1))).mean()
        assert after < share * before


def test_gradient_is_smoother_than_by_the_transfer_alone() -> None:
    photo, palette = to_tensor(sky()), Palette.from_image(to_tensor(art())[0])
    smooth = fit_color_map(photo, palette)(photo)[0]
    plain = match_distribution(photo[0], palette)

    def roughness(image: torch.Tensor) -> float:
        return float(to_oklab(image.clamp(0, 1))[:, :48].diff(n=2, dim=1).abs().mean())

    assert roughness(smooth) < 0.4 * roughness(plain)


def test_order_of_tones_is_kept_in_the_large() -> None:
    photo = sky()
    for colors in (((250, 250, 240), (30, 20, 20)), ((20, 30, 90), (230, 180, 60), (90, 20, 20))):
        painted = recolor(photo, art(colors)).mean(-1)
        gray = np.asarray(photo, np.float64).mean(-1)
        assert np.corrcoef(gray.ravel(), painted.ravel())[0, 1] > 0.7
        assert painted[90:, 80:].mean() < painted[:20].mean()  # the ground stays darker than the sky


def test_edges_stay_where_they_are() -> None:
    painted = recolor(sky(), art())
    edge = np.abs(np.diff(painted[60, 28:36], axis=0)).sum(-1)
    assert edge.argmax() == 3  # between columns 31 and 32, where the house begins
    assert edge[3] > 3 * np.delete(edge, 3).max()


def test_style_of_one_color_tints_the_photo() -> None:
    painted = recolor(sky(), Image.new("RGB", (64, 64), (200, 120, 40)))
    assert np.abs(painted.mean((0, 1)) - [200, 120, 40]).max() < 25
    assert painted.mean(-1).std() > 5  # and still shows it


def test_cancellation_between_tiles_stops() -> None:
    steps: list[int] = []

    def stop(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == 2:
            raise KeyboardInterrupt

    photo = Image.new("RGB", (2100, 40))
    with pytest.raises(KeyboardInterrupt):
        stylize(photo.resize((2100, 200)), art(), method="color", options=Options(size=2100), on_progress=stop)
    assert steps == [1, 2]
