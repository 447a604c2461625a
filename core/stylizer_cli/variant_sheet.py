"""Contact sheet of the variants of one painting."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from stylizer import images, variants
from stylizer.output import write_atomically
from stylizer_cli.contact_sheet import Block, Cell, compose
from stylizer_cli.jobs import PaintJob
from stylizer_cli.sources import file_name

CELL = 512  # pixels a side, at most


def write_sheet(job: PaintJob) -> None:
    """Compose the finished variants of a job, two in a row, each with its number, seed and style scale."""
    request = job.request
    assert job.sheet is not None
    cells = [
        Cell(f"{number}: seed {options.seed}, style scale {options.style_scale:g}", _load(target.path))
        for number, (target, options) in enumerate(
            zip(job.targets, variants(request.options, request.variants, method=request.method), strict=True), start=1
        )
        if target.path is not None
    ]
    width, height = (max(each) for each in zip(*(cell.picture.size for cell in cells), strict=True))
    rows = [cells[start : start + 2] for start in range(0, len(cells), 2)]
    title = f"{file_name(job.photo)} in {' + '.join(map(file_name, request.names))}"
    sheet = compose([Block(title, rows)], (width, height))
    write_atomically(job.sheet, images.encode(sheet, format="jpeg"))


def _load(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.thumbnail((CELL, CELL))
        return picture.convert("RGBA")
