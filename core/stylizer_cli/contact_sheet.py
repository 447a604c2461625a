"""Contact sheets: a grid of captioned pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_BACKGROUND, _HEADING_COLOR, _CAPTION_COLOR = (250, 249, 246), (28, 28, 30), (110, 110, 114)
_GAP, _MARGIN = 14, 28
_CAPTION_SIZE, _HEADING_SIZE = 15, 26  # font sizes, pixels
_CAPTION_HEIGHT, _HEADING_HEIGHT = 30, 58


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture with its caption."""

    caption: str
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Block:
    """A heading with rows of cells; None leaves a cell empty."""

    heading: str
    rows: Sequence[Sequence[Cell | None]]


def compose(blocks: Sequence[Block], cell: tuple[int, int]) -> Image.Image:
    """Compose blocks one below the other.

    Args:
        blocks: Blocks, from top to bottom.
        cell: (width, height) of each cell, pixels. Larger pictures are shrunk to fit.
    """
    width, height = cell
    columns = max(len(row) for block in blocks for row in block.rows)
    row_height = height + _CAPTION_HEIGHT + _GAP
    total = sum(_HEADING_HEIGHT + len(block.rows) * row_height for block in blocks)
    sheet = Image.new("RGB", (2 * _MARGIN + columns * (width + _GAP) - _GAP, 2 * _MARGIN + total - _GAP), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN
    for block in blocks:
        draw.text((_MARGIN, top), block.heading, _HEADING_COLOR, ImageFont.load_default(_HEADING_SIZE))
        top += _HEADING_HEIGHT
        for row in block.rows:
            for column, shown in enumerate(row):
                if shown is not None:
                    _paste_cell(sheet, draw, shown, (_MARGIN + column * (width + _GAP), top), cell)
            top += row_height
    return sheet


def _paste_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, shown: Cell, at: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = shown.picture.convert("RGBA")
    picture.thumbnail(size, Image.Resampling.LANCZOS)
    left, top = at
    sheet.paste(picture, (left + (size[0] - picture.width) // 2, top + (size[1] - picture.height) // 2), picture)
    font = ImageFont.load_default(_CAPTION_SIZE)
    text = _truncate(shown.caption, font, size[0])
    draw.text((left, top + size[1] + 6), text, _CAPTION_COLOR, font)


def _truncate(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Truncate a text to a width."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
