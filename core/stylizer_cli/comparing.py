"""`stylizer compare`: one photo and the same styles, by every method and at several strengths, on one sheet."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, product, repeat
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from PIL import Image

from stylizer import images, styles
from stylizer.errors import OptionError, StylizerError
from stylizer.options import METHOD_NAMES, MethodName, Options, check_choice
from stylizer_cli import options as given
from stylizer_cli.carrying import carry_out
from stylizer_cli.contact_sheet import Block, Cell, compose
from stylizer_cli.errands import Errand, Painted, Wish
from stylizer_cli.screen import out, tell
from stylizer_cli.service import Service, the_service
from stylizer_cli.targets import STANDARD_STREAM, Target, choose_target, write

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
        help="A style or any picture. Give it again for more of them, one below the other.",
        show_default=False,
    ),
]
_Size = Annotated[int, typer.Option(help="Long side of each painting, pixels.", **given.number(int))]
_Methods = Annotated[
    list[str],  # typer knows no lists of literals
    typer.Option("--method", help="Give it again for several.", **given.choice(METHOD_NAMES)),
]
_Strengths = Annotated[
    list[float], typer.Option("--strength", help="Give it again for several.", **given.number(float))
]


def compare(
    photo: given.Photo,
    style: _Styles,
    method: _Methods = list(METHOD_NAMES),  # noqa: B006 - typer reads it, and makes each call its own
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
    """Paint PHOTO by all methods and at several strengths, and write them all on one sheet."""
    if photo == STANDARD_STREAM:
        raise OptionError("photo is -, which can be read only once; give a file", field="photo")
    options = Options(size=size, style_scale=style_scale, preserve_color=preserve_color, quality=quality, seed=seed)
    for name in method:
        check_choice("method", name, METHOD_NAMES)
    ways = [_Way(*way) for way in product(dict.fromkeys(style), dict.fromkeys(method), dict.fromkeys(strength))]
    target = choose_target(photo, ["compare"], output, None, force)
    service = the_service(api, key, jobs)
    with tempfile.TemporaryDirectory(prefix="stylizer-") as folder:
        files = [Path(folder) / f"{index}.png" for index in range(len(ways))]
        errands = [
            Errand(photo, way.wish(options), Target(file, "png"), way.name, is_resumable=False)
            for way, file in zip(ways, files, strict=True)
        ]
        seconds = _paint(errands, service, quiet)
        cells = [
            Cell(f"{way.name}, {seconds[file]:.1f} s", _picture(file)) for way, file in zip(ways, files, strict=True)
        ]
    write(target, images.encode(_sheet(photo, ways, cells), format=target.format))
    if not quiet:
        if target.path is not None:
            out(target.path)
        tell(f"compared {len(ways)} paintings")


class _Way(NamedTuple):
    """One painting of the sheet."""

    style: str
    method: MethodName
    strength: float

    @property
    def name(self) -> str:
        return f"{self.method}, strength {self.strength:g}"

    def wish(self, options: Options) -> Wish:
        return Wish(styles=[(self.style, 1.0)], method=self.method, options=replace(options, strength=self.strength))


def _paint(errands: Sequence[Errand], service: Service | None, quiet: bool) -> dict[Path | None, float]:
    """Paint each into its file; gives the seconds that each took."""
    seconds: dict[Path | None, float] = {}

    def note(errand: Errand, end: Painted | StylizerError) -> None:
        if isinstance(end, StylizerError):
            raise end
        seconds[errand.target.path] = end.seconds

    carry_out(errands, service, note, quiet=quiet)
    return seconds


def _sheet(photo: str, ways: Sequence[_Way], cells: Sequence[Cell]) -> Image.Image:
    """A block a style and a row a method; before the rows the photo, and the style below it."""
    blocks = []
    for style, of_style in groupby(zip(ways, cells, strict=True), lambda pair: pair[0].style):
        rows = [[cell for _, cell in of_method] for _, of_method in groupby(of_style, lambda pair: pair[0].method)]
        first = [Cell("the photo", _picture(photo)), *_style_cells(style), *repeat(None, len(rows))]
        if len(rows) == 1:  # no room below the photo
            blocks.append(Block(_title(style), [[*first[:-1], *rows[0]]]))
        else:
            blocks.append(Block(_title(style), [[cell, *row] for cell, row in zip(first, rows, strict=False)]))
    return compose(blocks, cells[0].picture.size)


def _title(style: str) -> str:
    known = styles.find(style)
    return known.title if known else Path(style).name


def _style_cells(style: str) -> list[Cell]:
    """The picture of a style, where this machine has it."""
    known = styles.find(style)
    file = known.swatch if known else Path(style)
    return [Cell("the style", _picture(file))] if file.exists() else []


def _picture(file: str | Path) -> Image.Image:
    decoded = images.decode(file)
    picture = Image.fromarray(decoded.rgb)
    if decoded.alpha is not None:
        picture.putalpha(Image.fromarray(decoded.alpha))
    return picture
