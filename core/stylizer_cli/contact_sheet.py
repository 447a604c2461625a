"""Many pictures on one sheet, each with a line that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _FAINT = (250, 249, 246), (28, 28, 30), (110, 110, 114)
_GAP, _EDGE = 14, 28
_CAPTION, _HEADING = 15, 26  # pixels of the letters
_CAPTION_ROOM, _HEADING_ROOM = 30, 58


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture and what it is."""

    caption: str
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, and rows of pictures below it; None leaves a place empty."""

    heading: str
    rows: Sequence[Sequence[Cell | None]]


def compose(blocks: Sequence[Block], cell: tuple[int, int]) -> Image.Image:
    """Lay blocks out one below the other.

    Args:
        blocks: What to show.
        cell: (width, height) of the place for each picture, pixels. Larger ones are made smaller to fit.
    """
    width, height = cell
    columns = max(len(row) for block in blocks for row in block.rows)
    row_height = height + _CAPTION_ROOM + _GAP
    total = sum(_HEADING_ROOM + len(block.rows) * row_height for block in blocks)
    sheet = Image.new("RGB", (2 * _EDGE + columns * (width + _GAP) - _GAP, 2 * _EDGE + total - _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _EDGE
    for block in blocks:
        draw.text((_EDGE, top), block.heading, _INK, ImageFont.load_default(_HEADING))
        top += _HEADING_ROOM
        for row in block.rows:
            for column, shown in enumerate(row):
                if shown is not None:
                    _place(sheet, draw, shown, (_EDGE + column * (width + _GAP), top), cell)
            top += row_height
    return sheet


def _place(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, shown: Cell, at: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = shown.picture.convert("RGBA")
    picture.thumbnail(size, Image.Resampling.LANCZOS)
    left, top = at
    sheet.paste(picture, (left + (size[0] - picture.width) // 2, top + (size[1] - picture.height) // 2), picture)
    font = ImageFont.load_default(_CAPTION)
    text = _fitting(shown.caption, font, size[0])
    draw.text((left, top + size[1] + 6), text, _FAINT, font)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a text as has room."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
