"""The command line: `stylizer paint photo.jpg --style woodcut`.

The only part of the library that knows a screen. What a person asked for goes to stdout (a path, a table, a
picture); everything about it goes to stderr.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from stylizer import cli_options as given
from stylizer.errors import Canceled, OptionError, StylizerError, UnknownStyle
from stylizer.options import DEFAULT_METHOD, Options, check_choice
from stylizer.output import STANDARD_STREAM, choose_quality, choose_target, write_whole
from stylizer.styles import catalog

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_DEFAULTS = Options()
_EXAMPLES = """\
\b
Examples
  stylizer paint cat.jpg --style woodcut
  stylizer paint cat.jpg --style woodcut --size 4096 -o big.png
  stylizer paint cat.jpg --style my-own-painting.jpg --preserve-color luminance
  stylizer paint cat.jpg --style woodcut=0.7 --style mosaic=0.3 -o blend.webp
  stylizer paint cat.jpg --style mosaic --mask only-the-background.png
  stylizer paint cat.jpg --style woodcut --method optimization --size 512
  curl -s https://example.org/cat.jpg | stylizer paint - -s mosaic -o - > out.jpg

\b
Exit codes
  0 painted   1 a picture cannot be read, painted or written, or weights are missing
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


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 13 ms that painting does without

        print(f"stylizer {version('image-stylizer')}")  # noqa: T201
        raise typer.Exit


_ShowVersion = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
]


@app.callback(epilog="\b\nStart with\n  stylizer styles\n  stylizer paint photo.jpg --style woodcut")
def _stylizer(version: _ShowVersion = False) -> None:
    """Paint a photo in the style of another picture."""


@app.command(epilog=_EXAMPLES, no_args_is_help=True)
def paint(
    photo: given.Photo,
    style: given.Styles,
    size: given.Size = _DEFAULTS.size,
    quality: given.Quality = _DEFAULTS.quality,
    strength: given.Strength = _DEFAULTS.strength,
    style_scale: given.StyleScale = _DEFAULTS.style_scale,
    preserve_color: given.PreserveColor = _DEFAULTS.preserve_color,
    mask: given.Mask = None,
    content_mask: given.ContentMask = None,
    method: given.Method = DEFAULT_METHOD,
    features: given.Features = _DEFAULTS.features,
    seed: given.Seed = _DEFAULTS.seed,
    output: given.Output = None,
    force: given.Force = False,
    format: given.Format = None,  # noqa: A002 - the name of the option
    format_quality: given.FormatQuality = None,
    quiet: given.Quiet = False,
) -> None:
    """Paint PHOTO in a style and write the result; its path goes to stdout."""
    options = Options(
        size=size,
        strength=strength,
        style_scale=style_scale,
        preserve_color=preserve_color,
        quality=quality,
        features=features,
        seed=seed,
    )
    styles = [_parse_style(text) for text in style]
    target = choose_target(photo, [name for name, _ in styles], output, format, force)
    encoder_quality = choose_quality(format_quality, target.format)
    with _bar("painting", shown=sys.stderr.isatty() and not quiet) as show:
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
            on_progress=lambda progress: show(progress.step, progress.total),
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
        by = f" ({painting.features} features)" if painting.features else ""
        _tell(f"painted {width} x {height} pixels in {painting.seconds:.1f} s{by}")


@app.command(epilog="\b\nExample\n  stylizer fetch vgg19", no_args_is_help=True)
def fetch(what: given.Fetched, to: given.Folder = None) -> None:
    """Fetch weights that do not come with this program; the path of the file goes to stdout.

    vgg19 are those that torchvision publishes: 548 MiB, checked by their SHA-256.
    """
    check_choice("what", what, given.FETCHABLE)
    with _bar("fetching", shown=sys.stderr.isatty()) as show:
        from stylizer.features import vgg19, weights_file  # bring torch

        path, is_new = vgg19.fetch(to, show)
    print(path)  # noqa: T201
    folder = path.parent.resolve()
    use = "" if folder in weights_file.folders() else f"; to paint with it, set {weights_file.FOLDER_VARIABLE}={folder}"
    _tell(f"{what} {'is fetched' if is_new else 'is already there, and intact'}{use}")


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
def _bar(doing: str, *, shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on stderr with the time that is left; it goes away when the work is done.

    Yields:
        What to tell how much is done, and how much there is to do where that is known.
    """
    columns = (TextColumn(doing), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
