"""What the command line can be given: each argument and option with its help, its range and how it is read.

What a value must be is said and checked in `stylizer.options` and `stylizer.images.encoding`; this only tells of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stylizer import options
from stylizer.images import encoding
from stylizer.output import SUFFIXES
from stylizer.styles import catalog, user_styles
from stylizer_cli.service import DEFAULT_JOBS, JOBS_RANGE, KEY_VARIABLE

FETCHABLE = ("vgg19",)
_PAINTING: dict[str, Any] = {"rich_help_panel": "Painting"}
_OUTPUT: dict[str, Any] = {"rich_help_panel": "Output"}
_SERVICE: dict[str, Any] = {"rich_help_panel": "By a service", "show_default": False}


def number(kind: type) -> dict[str, Any]:
    """How an option takes a number; what is none is left to `Options`, whose message also says what is allowed."""

    def parse(value: object) -> object:
        try:
            return kind(value)
        except ValueError:
            return value

    return {"parser": parse, "metavar": "N" if kind is int else "X"}


def choice(choices: tuple[str, ...]) -> dict[str, Any]:
    """How an option takes one of several words, which are checked likewise."""
    return {"parser": str, "metavar": "|".join(choices)}


def _between(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.10g} to {limits[1]:.10g}"


_PHOTO = "JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC"
Photos = Annotated[
    list[str],
    typer.Argument(metavar="PHOTO...", help=f"{_PHOTO}; - reads stdin.", show_default=False),
]
Photo = Annotated[str, typer.Argument(metavar="PHOTO", help=f"{_PHOTO}.", show_default=False)]
Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="STYLE|FILE[=WEIGHT]",
        help="A style (see [bold]stylizer styles[/]) or any picture. Give it again to blend; "
        "=WEIGHT says how much of each counts, 1 if left out.",
        autocompletion=lambda: [*catalog(), *user_styles()],
        show_default=False,
        **_PAINTING,
    ),
]
Size = Annotated[
    int,
    typer.Option(
        help=f"Long side of the painting, {_between(options.SIZE_RANGE)} pixels; up to 2048 by methods "
        "optimization and texture.",
        **number(int),
        **_PAINTING,
    ),
]
Quality = Annotated[
    options.Quality, typer.Option(help="How much time to spend.", **choice(options.QUALITIES), **_PAINTING)
]
Strength = Annotated[
    float,
    typer.Option(
        help=f"{_between(options.STRENGTH_RANGE)}: 0 gives the photo back, 1 the full painting.",
        **number(float),
        **_PAINTING,
    ),
]
StyleScale = Annotated[
    float,
    typer.Option(
        help=f"Size of the strokes, {_between(options.STYLE_SCALE_RANGE)}: 0.5 paints them half as large.",
        **number(float),
        **_PAINTING,
    ),
]
PreserveColor = Annotated[
    options.PreserveColor,
    typer.Option(
        help="Keep the photo's colors: [bold]luminance[/] paints only light and dark, [bold]histogram[/] "
        "gives the style the photo's palette.",
        **choice(options.PRESERVE_COLOR),
        **_PAINTING,
    ),
]
Mask = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Paint only where this picture, of the photo's shape, is white.", **_PAINTING),
]
ContentMask = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="White keeps the photo's structure, black is free to become pure style. Found in the photo if left out. "
        "Methods neighbor and texture only.",
        **_PAINTING,
    ),
]
Method = Annotated[
    options.MethodName,
    typer.Option(
        help="[bold]neighbor[/] paints with the pieces of the style whose learned features are nearest to the photo's; "
        "[bold]feedforward[/] paints in one pass of a neural network, in a fraction of a second, for previews; "
        "[bold]optimization[/] changes the pixels until a neural network sees the style in them, which is the "
        "slowest; [bold]texture[/] finds pieces of the style by their pixels, without a network.",
        **choice(options.METHOD_NAMES),
        **_PAINTING,
    ),
]
Features = Annotated[
    options.FeaturesName | None,
    typer.Option(
        help="What method optimization compares pictures by: [bold]compact[/] comes with this program and is what it "
        "takes if this is left out, [bold]vgg19[/] is fetched once with [bold]stylizer fetch vgg19[/].",
        **choice(options.FEATURES),
        **_PAINTING,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help=f"{_between(options.SEED_RANGE)}: the same one paints the same picture again.",
        **number(int),
        **_PAINTING,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=f"Where to write; its suffix says the format: {' '.join(SUFFIXES)}. A folder is fine, - writes "
        "to stdout. If left out, PHOTO-STYLE in the current folder.",
        show_default=False,
        **_OUTPUT,
    ),
]
SheetOutput = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write the sheet. If left out, PHOTO-compare in the current folder.",
        show_default=False,
        **_OUTPUT,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="A folder for the paintings, made if it is not there. What is in it already is not painted again.",
        show_default=False,
        **_OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        "-f",
        help="Replace what is already there. If left out, that is refused, or skipped where there are many.",
        **_OUTPUT,
    ),
]
Format = Annotated[
    encoding.Format | None,
    typer.Option(help="The format, where no suffix says it.", **choice(encoding.FORMATS), **_OUTPUT),
]
FormatQuality = Annotated[
    int | None,
    typer.Option(
        help=f"{_between(encoding.QUALITY_RANGE)}, for {', '.join(encoding.LOSSY)}. "
        f"[dim]\\[default: {encoding.DEFAULT_QUALITY}][/]",
        show_default=False,
        **number(int),
        **_OUTPUT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something fails.", **_OUTPUT)]
_API: dict[str, Any] = {
    "metavar": "URL",
    "help": "Let the service at this address paint instead of this machine. Empty: this machine, whatever the "
    "environment says.",
    **_SERVICE,
}
Api = Annotated[str | None, typer.Option(envvar="STYLIZER_API", **_API)]
# Behind a subcommand, where the environment must not outdo what was said before it.
ApiAgain = Annotated[str | None, typer.Option("--api", **_API)]
Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help=f"Its API key. If left out, what {KEY_VARIABLE} says.", **_SERVICE),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        help=f"How many paintings it is asked for at once, {_between(JOBS_RANGE)}. [dim]\\[default: {DEFAULT_JOBS}][/]",
        **number(int),
        **_SERVICE,
    ),
]
Fetched = Annotated[str, typer.Argument(metavar="|".join(FETCHABLE), help="What to fetch.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where to put it. If left out, the folder that the environment variable STYLIZER_WEIGHTS names, or the "
        "cache of torch.",
        show_default=False,
    ),
]
