"""Create a built-in style from an image of a work: `python -m training.style_folder NAME FILE ...`.

The folder contains statistics by the compact encoder at several sizes, a sample of the colors, and a swatch synthesized
from them, but not the image. `python -m training.style_folder NAME` synthesizes the swatch again. Rerun with the image
whenever the compact encoder changes.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from stylizer import style_cache, styles
from stylizer.style_folder import compute_statistics, format_style_toml
from stylizer.styles import STATISTICS_FILE, STATISTICS_SIDE
from stylizer.tensors import to_image
from training.style_synthesis import STEPS, distance, synthesize

STYLES = Path(styles.__file__).parent
# The first level of optimization, and its doublings.
SIDES = (STATISTICS_SIDE // 4, STATISTICS_SIDE // 2, STATISTICS_SIDE)
LICENSE = "Public domain; the swatch is synthesized by this project"
SWATCH_QUALITY = 85
Crop = tuple[float, float, float, float]


def make(
    folder: Path,
    picture: Image.Image,
    facts: dict[str, str],
    *,
    crop: Crop = (0, 0, 1, 1),
    steps: Sequence[int] = STEPS,
) -> float:
    """Create the folder of a style.

    Args:
        folder: Target; its name is the id.
        picture: Image of the work.
        facts: Text attributes of `stylizer.styles.Style`.
        crop: The part of the picture that shows the work, without frame or margin: left, top, right and bottom as
            fractions of its sides.
        steps: Of the synthesis; see `training.style_synthesis`.

    Returns:
        The distance returned by `synthesize_swatch`.

    Raises:
        ValueError: The folder's name is not a valid id.
    """
    if not styles.is_id(folder.name):
        raise ValueError(f"name is {folder.name!r}; it must be {styles.ID_FORM}")
    width, height = picture.size
    work = picture.convert("RGB").crop((crop[0] * width, crop[1] * height, crop[2] * width, crop[3] * height))
    by_side, palette = compute_statistics(work, SIDES)
    folder.mkdir(parents=True, exist_ok=True)
    style_cache.save(folder / STATISTICS_FILE, by_side, palette)
    away = synthesize_swatch(folder, steps=steps)
    # Written last: this file makes the folder a style, so concurrent readers never see an incomplete one.
    (folder / "style.toml").write_text(format_style_toml(facts), encoding="utf-8")
    return away


def synthesize_swatch(folder: Path, *, steps: Sequence[int] = STEPS) -> float:
    """Synthesize the swatch of a style from its stored statistics.

    Args:
        folder: Folder of the style.
        steps: Of the synthesis; see `training.style_synthesis`.

    Returns:
        Style distance of the swatch to the work at the largest size: 0 identical, about 1 another style.

    Raises:
        ValueError: The statistics are from another encoder.
    """
    by_side = style_cache.read(folder / STATISTICS_FILE)
    if not by_side:
        raise ValueError(f"{folder / STATISTICS_FILE} is from another encoder; create the style again from its image")
    image = synthesize(by_side, style_cache.read_palette(folder / STATISTICS_FILE), steps=steps)
    buffer = io.BytesIO()
    to_image(image).save(buffer, "webp", quality=SWATCH_QUALITY, method=6)
    (folder / "swatch.webp").write_bytes(buffer.getvalue())
    return distance(image, by_side[max(by_side)])


def main(argv: list[str] | None = None) -> None:
    """Create one style."""
    parser = argparse.ArgumentParser(prog="python -m training.style_folder", description=__doc__)
    parser.add_argument("name", help=f"the id of the style: {styles.ID_FORM}")
    parser.add_argument(
        "file", type=Path, nargs="?", help="an image of the work; without it the swatch is synthesized again"
    )
    for fact in ("title", "artist", "year", "description"):
        parser.add_argument(f"--{fact}")
    parser.add_argument("--license", default=LICENSE)
    parser.add_argument("--crop", type=float, nargs=4, default=(0, 0, 1, 1), metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"))
    given = parser.parse_args(argv)
    if not styles.is_id(given.name):
        parser.error(f"name is {given.name!r}; it must be {styles.ID_FORM}")
    folder = STYLES / given.name
    if given.file is None:
        if given.name not in styles.catalog():
            parser.error(f"there is no style {given.name!r} whose swatch could be synthesized again; pass an image")
        away = synthesize_swatch(folder)
    else:
        facts = {fact: getattr(given, fact) for fact in ("title", "artist", "year", "license", "description")}
        if missing := [f"--{fact}" for fact, value in facts.items() if not value]:
            parser.error(f"a style from a picture needs {', '.join(missing)}")
        with Image.open(given.file) as picture:
            away = make(folder, picture, facts, crop=tuple(given.crop))
    print(f"the swatch is {away:.3f} from the work")
    for file in sorted(folder.iterdir()):
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
