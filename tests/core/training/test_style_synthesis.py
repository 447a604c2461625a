from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylizer import stored_looks, styles
from stylizer.style_folder import measure
from stylizer.tensors import to_tensor
from training.style_folder import SIDES, make
from training.style_synthesis import distance, synthesize


def _checks(side: int = 64) -> Image.Image:
    down, across = np.indices((side, side * 3 // 2))
    check = ((down // 8 + across // 8) % 2 * 200).astype(np.uint8)
    return Image.fromarray(np.stack((check, 255 - check, check // 4), 2))


def test_what_is_synthesized_looks_like_the_work_and_has_its_colors() -> None:
    looks, palette = measure(_checks(), (32, 64))
    image = synthesize(looks, palette, (48, 64), steps=(6,))
    assert image.shape == (1, 3, 48, 64)
    noise = synthesize(looks, palette, (48, 64), steps=(0,))
    assert distance(image, looks[64]) < 0.3 * distance(noise, looks[64])
    colors = to_tensor(_checks()).mean((0, 2, 3))
    torch.testing.assert_close(image.mean((0, 2, 3)), colors, atol=0.05, rtol=0)


def test_the_same_is_synthesized_every_time() -> None:
    looks, palette = measure(_checks(), (32,))
    first, again = (synthesize(looks, palette, (24, 32), steps=(2,)) for _ in range(2))
    assert torch.equal(first, again)


def test_a_style_folder_holds_what_is_known_of_the_work_and_a_swatch_but_not_the_picture(tmp_path: Path) -> None:
    framed = Image.new("RGB", (116, 84), (255, 0, 255))
    framed.paste(_checks(), (10, 10))
    facts = {"title": "Checks", "artist": "A", "year": "1900", "license": "C", "description": "D."}
    make(tmp_path / "checks", framed, facts, crop=(10 / 116, 10 / 84, 106 / 116, 74 / 84), steps=(1,))
    (style,) = styles.load(tmp_path).values()
    assert {fact: getattr(style, fact) for fact in facts} == facts
    assert style.look is not None
    assert tuple(stored_looks.read(style.look)) == SIDES
    # Of the frame, which was cut off, there is no color.
    assert not (stored_looks.read_palette(style.look)[:, [0, 2]] > 240).all(1).any()
    with Image.open(style.swatch) as swatch:
        assert max(swatch.size) == 512
    assert {file.name for file in (tmp_path / "checks").iterdir()} == {"style.toml", "swatch.webp", "look.safetensors"}


def test_a_style_of_a_wrong_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name is 'Checks'; it must be 1 to 64 lowercase"):
        make(tmp_path / "Checks", _checks(), {})
    assert not (tmp_path / "Checks").exists()
