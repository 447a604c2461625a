"""Arguments and options of the command line: help, metavar and parser.

`stylizer.options` and `stylizer.images.encoding` validate the values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stylizer import options
from stylizer.output import SUFFIXES
from stylizer.styles import catalog, user_styles
from stylizer_cli.service import DEFAULT_JOBS, JOBS_RANGE, KEY_VARIABLE

FETCHABLE = ("vgg19",)
_PAINTING: dict[str, Any] = {"rich_help_panel": "Painting"}
_OUTPUT: dict[str, Any] = {"rich_help_panel": "Output"}
_SERVICE: dict[str, Any] = {"rich_help_panel": "Service", "show_default": False}


def number(kind: type) -> dict[str, Any]:
    """Keyword arguments of a numeric option; `Options` reports invalid values together with the range."""

    def parse(value: object) -> object:
        try:
            return kind(value)
        except ValueError:
            return value

    return {"parser": parse, "metavar": "N" if kind is int else "X"}


def choice(choices: tuple[str, ...]) -> dict[str, Any]:
    """Keyword arguments of an option with choices, which `Options` validates too."""
    return {"parser": str, "metavar": "|".join(choices)}


def _between(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.10g} to {limits[1]:.10g}"


_PHOTO = "JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC"
Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO...",
        help=f"{_PHOTO}, or its https URL, or an animated GIF, WebP or PNG, or an MP4 or WebM video; - reads stdin.",
        show_default=False,
    ),
]
Photo = Annotated[str, typer.Argument(metavar="PHOTO", help=f"{_PHOTO}.", show_default=False)]
Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="STYLE|FILE|URL[=WEIGHT][@MASK]",
        help="A style (see [bold]stylizer styles[/]), or any picture or its https URL. Repeat it to blend; =WEIGHT is "
        "relative, 1 by default. @MASK is a picture of the photo's shape: this style paints where it is white, and "
        "styles without a mask paint the rest.",
        autocompletion=lambda: [*catalog(), *user_styles()],
        show_default=False,
        **_PAINTING,
    ),
]
Size = Annotated[
    int,  # or "original": typer supports no unions
    typer.Option(
        help=f"Long side of the painting, {_between(options.SIZE_RANGE)} pixels; up to 2048 by methods "
        "optimization and texture. [bold]original[/] is that of the photo.",
        **(number(int) | {"metavar": "N|original"}),
        **_PAINTING,
    ),
]
Quality = Annotated[
    options.Quality, typer.Option(help="Trade quality for time.", **choice(options.QUALITIES), **_PAINTING)
]
Strength = Annotated[
    float,
    typer.Option(
        help=f"{_between(options.STRENGTH_RANGE)}: 0 returns the photo, 1 the full painting.",
        **number(float),
        **_PAINTING,
    ),
]
StyleScale = Annotated[
    float,
    typer.Option(
        help=f"Size of the strokes, {_between(options.STYLE_SCALE_RANGE)}: 0.5 halves it. Not for method color.",
        **number(float),
        **_PAINTING,
    ),
]
PreserveColor = Annotated[
    options.PreserveColor,
    typer.Option(
        help="Keep the photo's colors: [bold]luminance[/] paints brightness only, [bold]histogram[/] gives the style "
        "the photo's palette (not for method color).",
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
        help="White keeps the photo's structure, black allows pure style. Computed from the photo by default. Methods "
        "neighbor, feedforward and texture only.",
        **_PAINTING,
    ),
]
Method = Annotated[
    options.MethodName,
    typer.Option(
        help="[bold]neighbor[/] paints with patches of the style whose learned features are nearest to the photo's; "
        "[bold]feedforward[/] is a few passes of a neural network, the fastest way to strokes; "
        "[bold]optimization[/] optimizes the pixels until a neural network sees the style, which is the slowest; "
        "[bold]texture[/] matches patches of the style by their pixels, without a network; "
        "[bold]color[/] takes the colors of the style only.",
        **choice(options.METHOD_NAMES),
        **_PAINTING,
    ),
]
Features = Annotated[
    options.FeaturesName | None,
    typer.Option(
        help="Network of method optimization: [bold]compact[/] is included and the default, [bold]vgg19[/] is fetched "
        "once with [bold]stylizer fetch vgg19[/].",
        **choice(options.FEATURES),
        **_PAINTING,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help=f"{_between(options.SEED_RANGE)}: the same seed paints the same picture.",
        **number(int),
        **_PAINTING,
    ),
]
Variants = Annotated[
    int,
    typer.Option(
        help=f"{_between(options.VARIANTS_RANGE)} paintings, by different seeds and style scales, as NAME-1, "
        "NAME-2 ..., and NAME-sheet with all of them.",
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
        help=f"Output file, whose suffix gives the format: {' '.join(SUFFIXES)}; or a folder, or - for stdout. "
        "Default: PHOTO-STYLE in the current folder.",
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
        help="Output file. Default: PHOTO-compare in the current folder.",
        show_default=False,
        **_OUTPUT,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder for the paintings, created if necessary. Existing paintings are skipped.",
        show_default=False,
        **_OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        "-f",
        help="Replace existing files. By default a single painting is refused, and many are skipped.",
        **_OUTPUT,
    ),
]
Format = Annotated[
    options.Format | None,
    typer.Option(help="Output format, if no suffix gives it.", **choice(options.FORMATS), **_OUTPUT),
]
FormatQuality = Annotated[
    int | None,
    typer.Option(
        help=f"{_between(options.FORMAT_QUALITY_RANGE)}, for {', '.join(options.LOSSY)}. "
        f"[dim]\\[default: {options.DEFAULT_FORMAT_QUALITY}][/]",
        show_default=False,
        **number(int),
        **_OUTPUT,
    ),
]
KeepMetadata = Annotated[
    options.KeepMetadata,
    typer.Option(
        help="What to keep of the photo's metadata: [bold]exif[/] is camera, exposure, times, author, copyright and "
        "resolution, without thumbnail and serial numbers; [bold]exif+gps[/] the place as well.",
        **choice(options.KEEP_METADATA),
        **_OUTPUT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", **_OUTPUT)]
_API: dict[str, Any] = {
    "metavar": "URL",
    "help": "Paint by the service at this URL instead of on this machine. An empty value overrides the environment.",
    **_SERVICE,
}
Api = Annotated[str | None, typer.Option(envvar="STYLIZER_API", **_API)]
# After a subcommand, where the environment must not override the option before it.
SubcommandApi = Annotated[str | None, typer.Option("--api", **_API)]
Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help=f"API key. Default: {KEY_VARIABLE}.", **_SERVICE),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        help=f"Concurrent paintings, {_between(JOBS_RANGE)}. [dim]\\[default: {DEFAULT_JOBS}][/]",
        **number(int),
        **_SERVICE,
    ),
]
Fetched = Annotated[str, typer.Argument(metavar="|".join(FETCHABLE), help="What to fetch.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Target folder. Default: the environment variable STYLIZER_WEIGHTS, or the cache of torch.",
        show_default=False,
    ),
]
