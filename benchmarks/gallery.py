"""Paint the picture in the README: three free photos, each in three built-in styles by the default method.

    python -m benchmarks.gallery

The photos are scikit-image's samples: the cat Chelsea and the cup of coffee are CC0, the astronaut Eileen Collins is in
the public domain (NASA).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from stylizer.compute import configure_process

TARGET = Path(__file__).parents[1] / "docs" / "pictures" / "gallery.webp"
ROWS = {
    "chelsea.png": ("impasto-swirls", "mosaic", "starry-night"),
    "astronaut.png": ("composition-vii", "woodcut", "cafe-terrace"),
    "coffee.png": ("irises", "pen-hatching", "stained-glass"),
}

WIDTH, HEIGHT, GAP = 330, 250, 6


def main() -> None:
    """Paint, and write one sheet: one row per photo, with the photo first."""
    configure_process()
    from PIL import Image, ImageOps

    from stylizer import Options, stylize

    columns = 1 + max(len(styles) for styles in ROWS.values())
    sheet = Image.new("RGB", (columns * (WIDTH + GAP) - GAP, len(ROWS) * (HEIGHT + GAP) - GAP), "white")
    for row, (name, styles) in enumerate(ROWS.items()):
        photo = Image.open(str(files("skimage.data") / name)).convert("RGB")
        pictures = [photo, *(stylize(photo, style, options=Options(size=768)).image for style in styles)]
        for column, picture in enumerate(pictures):
            fitted = ImageOps.fit(picture, (WIDTH, HEIGHT), Image.Resampling.LANCZOS, centering=(0.5, 0.3))
            sheet.paste(fitted, (column * (WIDTH + GAP), row * (HEIGHT + GAP)))
    sheet.save(TARGET, quality=82, method=6)


if __name__ == "__main__":
    main()
