"""`stylizer compare`: a contact sheet of one photo in several styles, methods and strengths."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, product, repeat
from pathlib import Path
from typing import Annotated, NamedTuple, cast

import typer
from PIL import Image

from stylizer import capabilities, images, styles
from stylizer.errors import OptionError, StylizerError
from stylizer.options import METHOD_NAMES, Format, MethodName, Options, check_choice
from stylizer_cli import options as given
from stylizer_cli.contact_sheet import Block, Cell, compose
from stylizer_cli.jobs import Painted, PaintJob, PaintRequest, StyleChoice
from stylizer_cli.runner import run_jobs
from stylizer_cli.screen import print_note, print_output
from stylizer_cli.service import Service, resolve_service
from stylizer_cli.sources import STANDARD_STREAM, is_url
from stylizer_cli.targets import Target, choose_target, write

EXAMPLES = """\
\b
Examples
  stylizer compare cat.jpg --style woodcut
  stylizer compare cat.jpg --style woodcut --style my-own-painting.jpg --size 512 -o sheet.png
  stylizer compare cat.jpg --style mosaic --method texture --strength 0.2 --strength 0.6
"""
SIZE = 384
STRENGTHS = (0.4, 0.7, 1.0)

_DEFAULTS = Options()
_Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="STYLE|FILE",
        help="A style or any picture; repeatable.",
        show_default=False,
    ),
]
_Size = Annotated[int, typer.Option(help="Long side of each painting, pixels.", **given.number(int))]
_Methods = Annotated[
    list[str],  # typer knows no lists of literals
    typer.Option(
        "--method",
        help="Repeatable. Default: every method that supports the other options.",
        show_default=False,
        **given.choice(METHOD_NAMES),
    ),
]
_Strengths = Annotated[list[float], typer.Option("--strength", help="Repeatable.", **given.number(float))]


def compare(
    photo: given.Photo,
    style: _Styles,
    method: _Methods = [],  # noqa: B006 - typer copies it for each call
    strength: _Strengths = list(STRENGTHS),  # noqa: B006
    size: _Size = SIZE,
    quality: given.Quality = _DEFAULTS.quality,
    style_scale: given.StyleScale = _DEFAULTS.style_scale,
    preserve_color: given.PreserveColor = _DEFAULTS.preserve_color,
    seed: given.Seed = _DEFAULTS.seed,
    output: given.SheetOutput = None,
    force: given.Force = False,
    quiet: given.Quiet = False,
    api: given.Api = None,
    key: given.Key = None,
    jobs: given.Jobs = None,
) -> None:
    """Paint PHOTO by all methods and at several strengths, and write one contact sheet."""
    if photo == STANDARD_STREAM:
        raise OptionError("photo is -, which can be read only once; give a file", field="photo")
    if any(is_url(source) for source in (photo, *style)):
        raise OptionError("compare takes files, not URLs; download the picture first", field="photo")
    options = Options(size=size, style_scale=style_scale, preserve_color=preserve_color, quality=quality, seed=seed)
    for name in method:
        check_choice("method", name, METHOD_NAMES)
    methods = dict.fromkeys(method) or [name for name in METHOD_NAMES if _supports(name, options)]
    variants = [_Variant(*each) for each in product(dict.fromkeys(style), methods, dict.fromkeys(strength))]
    target = choose_target(photo, ["compare"], output, None, force)
    service = resolve_service(api, key, jobs)
    with tempfile.TemporaryDirectory(prefix="stylizer-") as folder:
        files = [Path(folder) / f"{index}.png" for index in range(len(variants))]
        planned = [
            PaintJob(photo, variant.request(options), Target(file, "png"), variant.name, is_resumable=False)
            for variant, file in zip(variants, files, strict=True)
        ]
        seconds = _paint_all(planned, service, quiet)
        cells = [
            Cell(f"{variant.name}, {seconds[file]:.1f} s", _load_picture(file))
            for variant, file in zip(variants, files, strict=True)
        ]
    write(target, images.encode(_compose_sheet(photo, variants, cells), format=cast(Format, target.format)))
    if not quiet:
        if target.path is not None:
            print_output(target.path)
        print_note(f"compared {len(variants)} paintings")


def _supports(method: MethodName, options: Options) -> bool:
    try:
        capabilities.validate(
            method,
            size=options.size,
            style_scale=options.style_scale,
            preserve_color=options.preserve_color,
            features=None,
            has_content_mask=False,
        )
    except OptionError:
        return False
    return True


class _Variant(NamedTuple):
    """Style, method and strength of one painting."""

    style: str
    method: MethodName
    strength: float

    @property
    def name(self) -> str:
        return f"{self.method}, strength {self.strength:g}"

    def request(self, options: Options) -> PaintRequest:
        return PaintRequest(
            styles=[StyleChoice(self.style)], method=self.method, options=replace(options, strength=self.strength)
        )


def _paint_all(jobs: Sequence[PaintJob], service: Service | None, quiet: bool) -> dict[Path | None, float]:
    """Run all jobs, and return the painting time of each target, in seconds."""
    seconds: dict[Path | None, float] = {}

    def record(job: PaintJob, end: Painted | StylizerError) -> None:
        if isinstance(end, StylizerError):
            raise end
        seconds[job.target.path] = end.seconds

    run_jobs(jobs, service, record, quiet=quiet)
    return seconds


def _compose_sheet(photo: str, variants: Sequence[_Variant], cells: Sequence[Cell]) -> Image.Image:
    """Compose a block per style and a row per method; the first column has the photo and the style."""
    blocks = []
    for style, of_style in groupby(zip(variants, cells, strict=True), lambda pair: pair[0].style):
        rows = [[cell for _, cell in of_method] for _, of_method in groupby(of_style, lambda pair: pair[0].method)]
        first = [Cell("the photo", _load_picture(photo)), *_style_cells(style), *repeat(None, len(rows))]
        if len(rows) == 1:  # no second row for the style
            blocks.append(Block(_title(style), [[*first[:-1], *rows[0]]]))
        else:
            blocks.append(Block(_title(style), [[cell, *row] for cell, row in zip(first, rows, strict=False)]))
    return compose(blocks, cells[0].picture.size)


def _title(style: str) -> str:
    known = styles.find(style)
    return known.title if known else Path(style).name


def _style_cells(style: str) -> list[Cell]:
    """Return the picture of a style, if this machine has it."""
    known = styles.find(style)
    file = known.swatch if known else Path(style)
    return [Cell("the style", _load_picture(file))] if file.exists() else []


def _load_picture(file: str | Path) -> Image.Image:
    decoded = images.decode(file)
    picture = Image.fromarray(decoded.rgb)
    if decoded.alpha is not None:
        picture.putalpha(Image.fromarray(decoded.alpha))
    return picture
