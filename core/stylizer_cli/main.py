"""The commands, and how each of them ends."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from stylizer.errors import Canceled, OptionError, StylizerError
from stylizer.options import DEFAULT_METHOD, Options, check_choice
from stylizer_cli import options as given
from stylizer_cli import style_commands
from stylizer_cli.carrying import carry_out
from stylizer_cli.comparing import EXAMPLES as COMPARE_EXAMPLES
from stylizer_cli.comparing import compare
from stylizer_cli.errands import Wish, parse_style, plan_many, plan_one
from stylizer_cli.outcomes import DONE, FAILED, INTERRUPTED, USAGE, Many, One, code_of
from stylizer_cli.screen import bars, complain, drop_output, out, replace_closed_streams, tell
from stylizer_cli.service import the_service

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
  stylizer paint holiday/*.jpg --style mosaic --to painted
  stylizer paint cat.jpg --style mosaic --api https://art.example.com

\b
Many photos
  One that fails does not stop the others. What is there already is not painted
  again: the same command takes up what was interrupted.

\b
Exit codes
  0 painted   1 a picture cannot be read, painted or written, weights are
  missing, or no service answers   2 wrong usage   130 interrupted (Ctrl-C);
  nothing is left half written
"""

app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # What a decoder remarks about slightly broken metadata is nothing a person can act on.
    warnings.filterwarnings("ignore", module="PIL")
    replace_closed_streams()
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
            raise KeyboardInterrupt
        return code if isinstance(code, int) else DONE
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)
    except StylizerError as error:
        return _fail(error.detail, code_of(error))
    except typer.TyperException as error:
        detail = error.format_message()  # empty where there were no arguments, and help was shown
        return _fail(f"{detail} Try 'stylizer --help'.", USAGE) if detail else USAGE
    except BrokenPipeError:  # whoever reads our output, `head` for one, has seen enough
        drop_output()
        return FAILED
    except OSError as error:
        drop_output()
        return _fail(f"{error.filename or 'the output'}: {error.strerror or error}", FAILED)
    except MemoryError:
        return _fail("not enough memory; a smaller --size needs less", FAILED)


def _fail(detail: str, code: int) -> int:
    complain(detail)
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 13 ms that painting does without

        out(f"stylizer {version('image-stylizer')}")
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
    photos: given.Photos,
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
    to: given.To = None,
    force: given.Force = False,
    format: given.Format = None,  # noqa: A002 - the name of the option
    format_quality: given.FormatQuality = None,
    quiet: given.Quiet = False,
    api: given.Api = None,
    key: given.Key = None,
    jobs: given.Jobs = None,
) -> None:
    """Paint each PHOTO in a style and write the results; their paths go to stdout."""
    options = Options(
        size=size,
        strength=strength,
        style_scale=style_scale,
        preserve_color=preserve_color,
        quality=quality,
        features=features,
        seed=seed,
    )
    wish = Wish(
        styles=[parse_style(text) for text in style],
        method=method,
        options=options,
        mask=mask,
        content_mask=content_mask,
        format_quality=format_quality,
    )
    service = the_service(api, key, jobs)
    if to is not None and output is not None:
        raise OptionError("both -o and --to say where to write; give one of them", field="output")
    if len(photos) == 1 and to is None:
        one = plan_one(photos[0], wish, output, format, force)
        with _resumable(service is not None and one.target.path is not None):
            carry_out([one], service, One(quiet=quiet), quiet=quiet)
        return
    many = Many(quiet=quiet)
    errands = plan_many(photos, wish, output, to, format)
    with _resumable(True):
        carry_out([errand for errand in errands if force or not many.skips(errand)], service, many, quiet=quiet)
    many.finish()


@contextmanager
def _resumable(is_resumable: bool) -> Iterator[None]:
    """Have who interrupts the block told that it can be continued, if so."""
    try:
        yield
    except KeyboardInterrupt:
        if not is_resumable:
            raise
        raise Canceled("interrupted; the same command takes up the rest") from None


@app.command(epilog="\b\nExample\n  stylizer fetch vgg19", no_args_is_help=True)
def fetch(what: given.Fetched, to: given.Folder = None) -> None:
    """Fetch weights that do not come with this program; the path of the file goes to stdout.

    vgg19 are those that torchvision publishes: 548 MiB, checked by their SHA-256.
    """
    check_choice("what", what, given.FETCHABLE)
    with bars() as shown, shown.bar("fetching") as show:
        from stylizer.features import vgg19, weights_file  # bring torch

        path, is_new = vgg19.fetch(to, show)
    out(path)
    folder = path.parent.resolve()
    use = "" if folder in weights_file.folders() else f"; to paint with it, set {weights_file.FOLDER_VARIABLE}={folder}"
    tell(f"{what} {'is fetched' if is_new else 'is already there, and intact'}{use}")


app.command(epilog=COMPARE_EXAMPLES, no_args_is_help=True)(compare)
app.add_typer(style_commands.app, name="styles")
