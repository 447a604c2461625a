"""The command line: `stylizer paint photo.jpg --style woodcut`.

The only part of the library that knows a screen. What a person asked for goes to stdout (a path, a table, a
picture); everything about it goes to stderr.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from stylizer.errors import Canceled, OptionError, StylizerError, UnknownStyle
from stylizer.images.encoding import DEFAULT_QUALITY, FORMATS, LOSSY, QUALITY_RANGE, Format
from stylizer.options import (
    DEFAULT_METHOD,
    METHOD_NAMES,
    PRESERVE_COLOR,
    QUALITIES,
    SEED_RANGE,
    SIZE_RANGE,
    STRENGTH_RANGE,
    STYLE_SCALE_RANGE,
    MethodName,
    Options,
    PreserveColor,
    Quality,
)
from stylizer.output import STANDARD_STREAM, SUFFIXES, choose_quality, choose_target, write_whole
from stylizer.progress import OnProgress, Progress
from stylizer.styles import catalog

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_DEFAULTS = Options()
_EXAMPLES = """\
\b
Examples
  stylizer paint cat.jpg --style woodcut
  stylizer paint cat.jpg --style woodcut --size 2048 -o big.png
  stylizer paint cat.jpg --style my-own-painting.jpg --preserve-color luminance
  stylizer paint cat.jpg --style woodcut=0.7 --style mosaic=0.3 -o blend.webp
  stylizer paint cat.jpg --style mosaic --mask only-the-background.png
  curl -s https://example.org/cat.jpg | stylizer paint - -s mosaic -o - > out.jpg

\b
Exit codes
  0 painted   1 a picture cannot be read, painted or written
  2 wrong usage   130 interrupted (Ctrl-C); nothing is left half written
"""

app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # What a decoder remarks about slightly broken metadata is nothing a person can act on.
    warnings.filterwarnings("ignore", module="PIL")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; every foreseeable failure is one line on stderr.

    Args:
        arguments: What follows the name of the program.

    Returns:
        0 done; 1 a picture could not be read, painted or written; 2 wrong usage; 130 interrupted.
    """
    try:
        code = typer.main.get_command(app).main(arguments, "stylizer", standalone_mode=False)
        sys.stdout.flush()  # so that a closed pipe is noticed here
        if code == INTERRUPTED:  # what typer makes of Ctrl-C
            raise Canceled("the painting was interrupted")
        return code if isinstance(code, int) else DONE
    except (KeyboardInterrupt, Canceled):
        return _complain("interrupted; nothing was written", INTERRUPTED)
    except (OptionError, UnknownStyle) as error:
        return _complain(error.detail, USAGE)
    except StylizerError as error:
        return _complain(error.detail, FAILED)
    except typer.TyperException as error:
        detail = error.format_message()  # empty where there were no arguments, and help was shown
        return _complain(f"{detail} Try 'stylizer --help'.", USAGE) if detail else USAGE
    except BrokenPipeError:  # whoever reads our output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _complain(f"{error.filename or 'the output'}: {error.strerror or error}", FAILED)
    except MemoryError:
        return _complain("not enough memory; a smaller --size needs less", FAILED)


def _complain(detail: str, code: int) -> int:
    _tell(f"stylizer: error: {' '.join(detail.split())}")
    return code


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the command line is the one place that prints


_PAINTING: dict[str, Any] = {"rich_help_panel": "Painting"}
_OUTPUT: dict[str, Any] = {"rich_help_panel": "Output"}


def _number(kind: type) -> dict[str, Any]:
    """Take a number, and leave what is none to `Options`, whose message also says what is allowed."""

    def parse(value: object) -> object:
        try:
            return kind(value)
        except ValueError:
            return value

    return {"parser": parse, "metavar": "N" if kind is int else "X"}


def _choice(choices: tuple[str, ...]) -> dict[str, Any]:
    return {"parser": str, "metavar": "|".join(choices)}


def _between(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.10g} to {limits[1]:.10g}"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"stylizer {version('image-stylizer')}")  # noqa: T201
        raise typer.Exit


_Photo = Annotated[
    str,
    typer.Argument(metavar="PHOTO", help="JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC; - reads stdin."),
]
_Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="STYLE|FILE[=WEIGHT]",
        help="A built-in style (see [bold]stylizer styles[/]) or any picture. Give it again to blend; "
        "=WEIGHT says how much of each counts, 1 if left out.",
        autocompletion=lambda: list(catalog()),
        show_default=False,
        **_PAINTING,
    ),
]
_Size = Annotated[
    int,
    typer.Option(help=f"Long side of the painting, {_between(SIZE_RANGE)} pixels.", **_number(int), **_PAINTING),
]
_Quality = Annotated[Quality, typer.Option(help="How much time to spend.", **_choice(QUALITIES), **_PAINTING)]
_Strength = Annotated[
    float,
    typer.Option(
        help=f"{_between(STRENGTH_RANGE)}: 0 gives the photo back, 1 the full painting.",
        **_number(float),
        **_PAINTING,
    ),
]
_StyleScale = Annotated[
    float,
    typer.Option(
        help=f"Size of the strokes, {_between(STYLE_SCALE_RANGE)}: 0.5 paints them half as large.",
        **_number(float),
        **_PAINTING,
    ),
]
_PreserveColor = Annotated[
    PreserveColor,
    typer.Option(
        help="Keep the photo's colors: [bold]luminance[/] paints only light and dark, [bold]histogram[/] "
        "gives the style the photo's palette.",
        **_choice(PRESERVE_COLOR),
        **_PAINTING,
    ),
]
_Mask = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Paint only where this picture, of the photo's shape, is white.", **_PAINTING),
]
_ContentMask = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="White keeps the photo's structure, black is free to become pure style. Found in the photo if left out.",
        **_PAINTING,
    ),
]
_Method = Annotated[MethodName, typer.Option(help="How to paint.", **_choice(METHOD_NAMES), **_PAINTING)]
_Seed = Annotated[
    int,
    typer.Option(
        help=f"{_between(SEED_RANGE)}: the same one paints the same picture again.",
        **_number(int),
        **_PAINTING,
    ),
]
_Output = Annotated[
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
_Force = Annotated[
    bool,
    typer.Option("--force", "-f", help="Replace the file if it is already there, or that is refused.", **_OUTPUT),
]
_Format = Annotated[
    Format | None,
    typer.Option(help="The format, where no suffix says it.", **_choice(FORMATS), **_OUTPUT),
]
_FormatQuality = Annotated[
    int | None,
    typer.Option(
        help=f"{_between(QUALITY_RANGE)}, for {', '.join(LOSSY)}. [dim]\\[default: {DEFAULT_QUALITY}][/]",
        show_default=False,
        **_number(int),
        **_OUTPUT,
    ),
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something fails.", **_OUTPUT)]
_ShowVersion = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
]


@app.callback(epilog="\b\nStart with\n  stylizer styles\n  stylizer paint photo.jpg --style woodcut")
def _stylizer(version: _ShowVersion = False) -> None:
    """Paint a photo in the style of another picture."""


@app.command(epilog=_EXAMPLES, no_args_is_help=True)
def paint(
    photo: _Photo,
    style: _Styles,
    size: _Size = _DEFAULTS.size,
    quality: _Quality = _DEFAULTS.quality,
    strength: _Strength = _DEFAULTS.strength,
    style_scale: _StyleScale = _DEFAULTS.style_scale,
    preserve_color: _PreserveColor = _DEFAULTS.preserve_color,
    mask: _Mask = None,
    content_mask: _ContentMask = None,
    method: _Method = DEFAULT_METHOD,
    seed: _Seed = _DEFAULTS.seed,
    output: _Output = None,
    force: _Force = False,
    format: _Format = None,  # noqa: A002 - the name of the option
    format_quality: _FormatQuality = None,
    quiet: _Quiet = False,
) -> None:
    """Paint PHOTO in a style and write the result; its path goes to stdout."""
    options = Options(
        size=size,
        strength=strength,
        style_scale=style_scale,
        preserve_color=preserve_color,
        quality=quality,
        seed=seed,
    )
    styles = [_parse_style(text) for text in style]
    target = choose_target(photo, [name for name, _ in styles], output, format, force)
    encoder_quality = choose_quality(format_quality, target.format)
    with _progress_bar(shown=sys.stderr.isatty() and not quiet) as on_progress:
        from stylizer.compute import use_available_cores

        use_available_cores()
        from stylizer import stylize  # brings torch, which takes seconds: after all that can be said without

        painting = stylize(
            sys.stdin.buffer if photo == STANDARD_STREAM else photo,
            styles,
            method=method,
            options=options,
            mask=mask,
            content_mask=content_mask,
            on_progress=on_progress,
        )
    data = painting.encode(target.format, quality=encoder_quality)
    if target.path is None:
        sys.stdout.buffer.write(data)
    else:
        write_whole(target.path, data)
        if not quiet:
            print(target.path)  # noqa: T201
    if not quiet:
        width, height = painting.image.size
        _tell(f"painted {width} x {height} pixels in {painting.seconds:.1f} s")


@app.command("styles")
def list_styles() -> None:
    """List the built-in styles."""
    console = Console()
    if not console.is_terminal:  # one line each, for other programs
        for style in catalog().values():
            print(style.id, style.title, style.artist, style.year, style.description, sep="\t")  # noqa: T201
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("style", "title", "by"):
        table.add_column(heading, no_wrap=True, style="bold" if heading == "style" else None)
    table.add_column("looks")
    for style in catalog().values():
        table.add_row(style.id, style.title, f"{style.artist}, {style.year}", style.description)
    console.print(table)


def _parse_style(text: str) -> tuple[str, float]:
    """Split "woodcut=0.7" into style and weight; the name of a file may contain "=" too."""
    name, equals, weight = text.rpartition("=")
    if equals and not Path(text).exists():
        try:
            return name, float(weight)
        except ValueError:
            pass
    return text, 1.0


@contextmanager
def _progress_bar(*, shown: bool) -> Iterator[OnProgress | None]:
    """Show a bar on stderr with the time that is left; it goes away when the work is done."""
    if not shown:
        yield None
        return
    columns = (TextColumn("painting"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("painting", total=None)

        def on_progress(progress: Progress) -> None:
            bar.update(task, completed=progress.step, total=progress.total)

        yield on_progress
