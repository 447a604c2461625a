"""Commands and exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from stylizer.errors import Canceled, OptionError, StylizerError
from stylizer.options import DEFAULT_METHOD, Options, check_choice, check_variants
from stylizer_cli import options as given
from stylizer_cli import style_commands
from stylizer_cli.comparing import EXAMPLES as COMPARE_EXAMPLES
from stylizer_cli.comparing import compare
from stylizer_cli.jobs import PaintRequest, check_urls, parse_style, plan_batch, plan_single
from stylizer_cli.reporters import DONE, FAILED, INTERRUPTED, USAGE, BatchReporter, SingleReporter, exit_code
from stylizer_cli.runner import run_jobs
from stylizer_cli.screen import (
    drop_output,
    print_error,
    print_note,
    print_output,
    progress_bars,
    replace_closed_streams,
)
from stylizer_cli.service import resolve_service

_DEFAULTS = Options()
_EXAMPLES = """\
\b
Examples
  stylizer paint cat.jpg --style woodcut
  stylizer paint cat.jpg --style woodcut --size 4096 -o big.png
  stylizer paint cat.jpg --style my-own-painting.jpg --preserve-color luminance
  stylizer paint cat.jpg --style woodcut=0.7 --style mosaic=0.3 -o blend.webp
  stylizer paint cat.jpg --style mosaic --mask only-the-background.png
  stylizer paint cat.jpg --style mosaic --style woodcut@the-cat.png
  stylizer paint cat.jpg --style woodcut --method optimization --size 512
  stylizer paint cat.jpg --style woodcut --variants 4
  curl -s https://example.org/cat.jpg | stylizer paint - -s mosaic -o - > out.jpg
  stylizer paint holiday/*.jpg --style mosaic --to painted
  stylizer paint waves.mp4 --style great-wave --size 512 -o painted.mp4
  stylizer paint holiday/* --style great-wave --size 512 --to painted
  stylizer paint https://example.org/cat.jpg --style mosaic
  stylizer paint cat.jpg --style mosaic --api https://art.example.com

\b
Many photos and clips
  A failed one does not stop the others. Existing paintings are skipped: repeat
  the command to resume it after an interruption. With --api, the service goes on
  painting meanwhile.

\b
Exit codes
  0 painted   1 a picture cannot be read, painted or written, weights are
  missing, or no service responds   2 invalid usage   130 interrupted (Ctrl-C);
  no partial file is left
"""

app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Users cannot act on Pillow's warnings about slightly broken metadata.
    warnings.filterwarnings("ignore", module="PIL")
    replace_closed_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command, and print every expected failure as one line on stderr.

    Args:
        arguments: Command-line arguments, without the name of the program.

    Returns:
        Exit code: 0 success, 1 failure, 2 invalid usage, 130 interrupted.
    """
    try:
        code = typer.main.get_command(app).main(arguments, "stylizer", standalone_mode=False)
        sys.stdout.flush()  # raises here if the pipe is closed
        if code == INTERRUPTED:  # how typer reports Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else DONE
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)
    except StylizerError as error:
        return _fail(error.detail, exit_code(error))
    except typer.TyperException as error:
        detail = error.format_message()  # empty if help was shown for lack of arguments
        return _fail(f"{detail} Try 'stylizer --help'.", USAGE) if detail else USAGE
    except BrokenPipeError:  # the reader of stdout, such as `head`, has exited
        drop_output()
        return FAILED
    except OSError as error:
        drop_output()
        return _fail(f"{error.filename or 'the output'}: {error.strerror or error}", FAILED)
    except MemoryError:
        return _fail("not enough memory; a smaller --size needs less", FAILED)


def _fail(detail: str, code: int) -> int:
    print_error(detail)
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes 13 ms, which painting saves

        print_output(f"stylizer {version('image-stylizer')}")
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
    size: given.Size = _DEFAULTS.size,  # type: ignore[assignment] # see given.Size
    quality: given.Quality = _DEFAULTS.quality,
    strength: given.Strength = _DEFAULTS.strength,
    style_scale: given.StyleScale = _DEFAULTS.style_scale,
    preserve_color: given.PreserveColor = _DEFAULTS.preserve_color,
    mask: given.Mask = None,
    content_mask: given.ContentMask = None,
    method: given.Method = DEFAULT_METHOD,
    features: given.Features = _DEFAULTS.features,
    seed: given.Seed = _DEFAULTS.seed,
    variants: given.Variants = 1,
    output: given.Output = None,
    to: given.To = None,
    force: given.Force = False,
    format: given.Format = None,  # noqa: A002 - the name of the option
    format_quality: given.FormatQuality = None,
    keep_metadata: given.KeepMetadata = _DEFAULTS.keep_metadata,
    quiet: given.Quiet = False,
    api: given.Api = None,
    key: given.Key = None,
    jobs: given.Jobs = None,
) -> None:
    """Paint each PHOTO in a style, write the results, and print their paths to stdout."""
    options = Options(
        size=size,
        strength=strength,
        style_scale=style_scale,
        preserve_color=preserve_color,
        quality=quality,
        features=features,
        seed=seed,
        keep_metadata=keep_metadata,
    )
    request = PaintRequest(
        styles=[parse_style(text) for text in style],
        method=method,
        options=options,
        mask=mask,
        content_mask=content_mask,
        variants=variants,
        format_quality=format_quality,
    )
    check_variants(variants)
    check_urls(photos, request)
    service = resolve_service(api, key, jobs)
    if to is not None and output is not None:
        raise OptionError("both -o and --to say where to write; give one of them", field="output")
    if len(photos) == 1 and to is None:
        job = plan_single(photos[0], request, output, format, force)
        with _resume_hint(service is not None and job.target.path is not None):
            run_jobs([job], service, SingleReporter(quiet=quiet), quiet=quiet)
        return
    reporter = BatchReporter(quiet=quiet)
    planned = plan_batch(photos, request, output, to, format)
    with _resume_hint(True):
        run_jobs([job for job in planned if force or not reporter.skip_existing(job)], service, reporter, quiet=quiet)
    reporter.finish()


@contextmanager
def _resume_hint(is_resumable: bool) -> Iterator[None]:
    """Mention on Ctrl-C that the command can be resumed, if it can."""
    try:
        yield
    except KeyboardInterrupt:
        if not is_resumable:
            raise
        raise Canceled("interrupted; repeat the command to resume") from None


@app.command(epilog="\b\nExample\n  stylizer fetch vgg19", no_args_is_help=True)
def fetch(what: given.Fetched, to: given.Folder = None) -> None:
    """Download weights that are not included, and print the path of the file to stdout.

    vgg19: the weights published by torchvision, 548 MiB, checked by SHA-256.
    """
    check_choice("what", what, given.FETCHABLE)
    with progress_bars() as bars, bars.bar("fetching") as on_progress:
        from stylizer.features import vgg19, weights_file  # import torch

        path, is_new = vgg19.fetch(to, on_progress)
    print_output(path)
    folder = path.parent.resolve()
    use = "" if folder in weights_file.folders() else f"; to paint with it, set {weights_file.FOLDER_VARIABLE}={folder}"
    print_note(f"{what} {'fetched' if is_new else 'already exists and is intact'}{use}")


app.command(epilog=COMPARE_EXAMPLES, no_args_is_help=True)(compare)
app.add_typer(style_commands.app, name="styles")
