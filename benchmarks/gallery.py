"""Paint the pictures of README.md and docs/quality.md from four free photos and built-in styles.

    python -m benchmarks.gallery FOLDER [--clip]

FOLDER holds the photos: chelsea.png, astronaut.png and coffee.png from scikit-image's samples, china.jpg from
scikit-learn's. Their licenses are named beside the pictures. --clip paints the animated one of README.md only.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from stylizer.compute import configure_process
from stylizer.options import DEFAULT_METHOD, MethodName, Quality
from stylizer.styles import catalog

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = 768  # long side of the paintings, pixels
GAP = 6
# Of each photo: two styles at quality "standard", one at "high"; all by the default method.
GALLERY = {
    "chelsea.png": ("impasto-swirls", "mosaic", "starry-night"),
    "astronaut.png": ("woodcut", "cafe-terrace", "composition-vii"),
    "china.jpg": ("great-wave", "irises", "the-scream"),
    "coffee.png": ("pen-hatching", "stained-glass", "sea-anemones"),
}
GALLERY_CELL = (420, 300)
METHODS: dict[str, tuple[MethodName, Quality]] = {
    "feedforward": ("feedforward", "standard"),
    "texture": ("texture", "standard"),
    "optimization": ("optimization", "standard"),
    "neighbor": ("neighbor", "standard"),
    "neighbor, high": ("neighbor", "high"),
}
COMPARED = {"chelsea.png": "great-wave", "astronaut.png": "composition-vii", "china.jpg": "starry-night"}
COMPARED_CELL = (300, 300)
CAPTION = 22  # height in pixels
CLIP_PHOTO, CLIP_STYLE, CLIP_CELL = "chelsea.png", "starry-night", (320, 240)
CLIP_FRAMES = 15  # played forth and back


def main(argv: Sequence[str] | None = None) -> None:
    """Paint, and write both pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the four photos")
    parser.add_argument("--clip", action="store_true", help="paint the clip, and not the pictures")
    given = parser.parse_args(argv)
    folder = given.folder
    configure_process()
    if given.clip:
        frames = [sheet([pair], CLIP_CELL) for pair in clip_frames(folder)]
        _save_clip([*frames, *frames[-2:0:-1]], PICTURES / "clip.webp", quality=60, method=6)
        return
    sheet(gallery_rows(folder), GALLERY_CELL).save(PICTURES / "gallery.webp", quality=82, method=6)
    columns = ["photo", "style", *METHODS]
    sheet(method_rows(folder), COMPARED_CELL, columns).save(PICTURES / "methods.webp", quality=82, method=6)


def gallery_rows(folder: Path) -> list[list[Image.Image]]:
    """Return each photo with its paintings by the default method."""
    qualities: tuple[Quality, ...] = ("standard", "standard", "high")
    return [
        [
            _open(folder / name),
            *(
                _paint(folder / name, style, DEFAULT_METHOD, quality)
                for style, quality in zip(styles, qualities, strict=True)
            ),
        ]
        for name, styles in GALLERY.items()
    ]


def method_rows(folder: Path) -> list[list[Image.Image]]:
    """Return each photo with its style and its paintings by all methods."""
    return [
        [
            _open(folder / name),
            _open(catalog()[style].swatch),
            *(_paint(folder / name, style, method, quality) for method, quality in METHODS.values()),
        ]
        for name, style in COMPARED.items()
    ]


def clip_frames(folder: Path) -> list[list[Image.Image]]:
    """Return the frames of a camera that moves towards the photo's subject, each with its painting."""
    from stylizer import Options, stylize_clip  # after `configure_process`: it imports torch

    width, height = CLIP_CELL
    photo = _open(folder / CLIP_PHOTO)
    scale = min(photo.width / width, photo.height / height)
    frames = []
    for index in range(CLIP_FRAMES):
        way = index / (CLIP_FRAMES - 1)
        zoom = scale * (1 - 0.25 * way)  # pixels of the photo in one of the frame
        left, top = (
            (0.25 + 0.1 * way) * (photo.width - zoom * width),
            (0.5 - 0.2 * way) * (photo.height - zoom * height),
        )
        box = (left, top, left + zoom * width, top + zoom * height)
        frames.append(photo.resize(CLIP_CELL, Image.Resampling.LANCZOS, box))
    buffer = io.BytesIO()
    _save_clip(frames, buffer, lossless=True)
    clip = stylize_clip(buffer.getvalue(), CLIP_STYLE, options=Options(size=width), format="png")
    with Image.open(io.BytesIO(clip.data)) as painted:
        return [[frame, _frame(painted, index)] for index, frame in enumerate(frames)]


def sheet(rows: list[list[Image.Image]], cell: tuple[int, int], captions: Sequence[str] = ()) -> Image.Image:
    """Return the pictures in rows, each cropped to `cell` (width, height), under the captions of their columns."""
    width, height = cell
    top = CAPTION if captions else 0
    size = len(rows[0]) * (width + GAP) - GAP, top + len(rows) * (height + GAP) - GAP
    picture = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for column, caption in enumerate(captions):
        draw.text((column * (width + GAP) + width / 2, 0), caption, fill="black", font=font, anchor="ma")
    for row, pictures in enumerate(rows):
        for column, painting in enumerate(pictures):
            fitted = ImageOps.fit(painting, cell, Image.Resampling.LANCZOS, centering=(0.5, 0.3))
            picture.paste(fitted, (column * (width + GAP), top + row * (height + GAP)))
    return picture


def _paint(photo: Path, style: str, method: MethodName, quality: Quality) -> Image.Image:
    from stylizer import Options, stylize  # after `configure_process`: it imports torch

    return stylize(photo, style, method=method, options=Options(size=SIZE, quality=quality)).image


def _frame(clip: Image.Image, index: int) -> Image.Image:
    clip.seek(index)
    return clip.convert("RGB")


def _save_clip(frames: list[Image.Image], target: Path | io.BytesIO, **settings: Any) -> None:
    frames[0].save(target, "webp", save_all=True, append_images=frames[1:], duration=90, loop=0, **settings)


def _open(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


if __name__ == "__main__":
    main()
