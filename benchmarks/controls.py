"""Paint the images of docs/methods.md: the effect of each control on one photo, one sheet per method.

    python -m benchmarks.controls [METHOD ...]

The photo is docs/pictures/cat.jpg: the cat Chelsea, CC0, from scikit-image's samples.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from benchmarks.plan import PHOTO
from stylizer import styles
from stylizer.capabilities import METHODS, STROKE_METHODS
from stylizer.compute import configure_process
from stylizer.options import PRESERVE_COLOR, QUALITIES, MethodName, Options, check_choice
from stylizer_cli.contact_sheet import Block, Cell, compose

PLAIN = Options(size=384)
CELL = (240, 160)  # size in pixels of each image on the sheet
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SCALES = (0.5, 1.0, 2.0, 4.0)
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)

# Chosen by eye: the styles that show each control best,
STRENGTH, SCALE, COLOR, MASK, QUALITY = "impasto-swirls", "mosaic", "great-wave", "pointillism", "starry-night"
BLEND = ("woodcut", "watercolor")
# and the cat's head, and the point between its eyes, as fractions of width and height.
HEAD = (0.08, -0.1, 0.86, 1.1)
EYES = (0.35, 0.45)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of `stylize` for a painting to make."""

    styles: Sequence[tuple[str, float]]
    options: Options = PLAIN
    mask: Image.Image | None = None
    content_mask: Image.Image | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The effect of one control.

    Attributes:
        control: Its name.
        about: Additional caption.
        cells: Captions with finished images or paintings to make.
        is_detail: Whether to show an unscaled crop of each painting, where the effect is invisible in the whole.
    """

    control: str
    about: str
    cells: Sequence[tuple[str, Image.Image | Arguments]]
    is_detail: bool = False


def main() -> None:
    """Paint, and write a sheet for each method named, or for all."""
    configure_process()
    photo = _opened(PHOTO)
    for name in sys.argv[1:] or STROKE_METHODS:
        check_choice("method", name, STROKE_METHODS)
        method = cast(MethodName, name)
        sheet(method, photo).save(target(method), quality=50, method=6)


def target(method: MethodName) -> Path:
    """Return the path of a method's sheet."""
    return PHOTO.with_name(f"controls-{method}.webp")


def sheet(method: MethodName, photo: Image.Image) -> Image.Image:
    """Paint all rows of a method."""
    blocks = []
    for row in rows(method, photo):
        cells = [Cell(caption, _shown(method, photo, what, row.is_detail)) for caption, what in row.cells]
        blocks.append(Block(f"{row.control}: {row.about}", [cells]))
    return compose(blocks, CELL)


def rows(method: MethodName, photo: Image.Image) -> Iterator[Row]:
    """Yield a row for each control that the method supports."""
    yield Row("strength", _title(STRENGTH), [(f"{x:g}", _arguments(STRENGTH, strength=x)) for x in STRENGTHS])
    scales = [(f"{x:g}", _arguments(SCALE, style_scale=x)) for x in SCALES]
    yield Row("style_scale", _title(SCALE), [("the style", _swatch(SCALE)), *scales])
    kept = [(kind, _arguments(COLOR, preserve_color=kind)) for kind in PRESERVE_COLOR]
    yield Row("preserve_color", _title(COLOR), [("the photo", photo), ("the style", _swatch(COLOR)), *kept])
    yield _blended()
    yield _masked(photo, "mask", " where it is white")
    if METHODS[method].takes_content_mask:
        plain = ("none: found in the photo", _arguments(MASK))
        yield _masked(photo, "content_mask", ", free where it is black", plain)
    qualities = [(quality, _arguments(QUALITY, quality=quality)) for quality in QUALITIES]
    yield Row("quality", f"{_title(QUALITY)}, a detail", qualities, is_detail=True)


def _blended() -> Row:
    first, second = BLEND
    blends = [[(first, share), (second, 1 - share)] for share in SHARES]
    cells = [
        (
            ", ".join(f"{weight:g} {name}" for name, weight in blend if weight),
            Arguments([pair for pair in blend if pair[1]]),
        )
        for blend in blends
    ]
    return Row("styles", f"{_title(first)} and {_title(second)}", cells)


def _masked(photo: Image.Image, control: str, about: str, *before: tuple[str, Arguments]) -> Row:
    """Return the row of a control that takes a mask: one cell with a mask, one with its negative."""
    head, plain = _head(photo), _arguments(MASK)
    rest = ImageOps.invert(head)
    with_head, with_rest = (replace(plain, **cast(dict[str, Any], {control: mask})) for mask in (head, rest))
    cells: list[tuple[str, Image.Image | Arguments]] = [
        *before,
        (f"a {control.replace('_', ' ')}", head),
        ("painted with it", with_head),
        ("its negative", rest),
        ("painted with that", with_rest),
    ]
    return Row(control, f"{_title(MASK)}{about}", cells)


def _arguments(style: str, **changes: Any) -> Arguments:
    return Arguments([(style, 1.0)], replace(PLAIN, **changes))


def _title(style: str) -> str:
    return styles.get(style).title


def _swatch(style: str) -> Image.Image:
    return _opened(styles.get(style).swatch)


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def _head(photo: Image.Image) -> Image.Image:
    """Return a soft mask of the cat's head."""
    mask = Image.new("L", photo.size)
    width, height = photo.size
    left, top, right, below = HEAD
    ImageDraw.Draw(mask).ellipse((left * width, top * height, right * width, below * height), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(width / 50))


def _shown(method: MethodName, photo: Image.Image, what: Image.Image | Arguments, is_detail: bool) -> Image.Image:
    """Return an image as is, or the requested painting, or its crop around the eyes."""
    if isinstance(what, Image.Image):
        return what
    from stylizer import stylize  # imports torch, which `configure_process` must do first

    painting = stylize(
        photo,
        list(what.styles),
        method=method,
        options=what.options,
        mask=what.mask,
        content_mask=what.content_mask,
    ).image
    if not is_detail:
        return painting
    (x, y), (width, height) = EYES, CELL
    left, top = round(x * painting.width - width / 2), round(y * painting.height - height / 2)
    return painting.crop((left, top, left + width, top + height))


if __name__ == "__main__":
    main()
