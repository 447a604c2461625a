"""Paint the pictures of README.md and docs/quality.md from four free photos and built-in styles.

    python -m benchmarks.gallery FOLDER

FOLDER holds the photos: chelsea.png, astronaut.png and coffee.png from scikit-image's samples, china.jpg from
scikit-learn's. Their licenses are named beside the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

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


def main(argv: Sequence[str] | None = None) -> None:
    """Paint, and write both pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the four photos")
    folder = parser.parse_args(argv).folder
    configure_process()
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


def _open(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


if __name__ == "__main__":
    main()
