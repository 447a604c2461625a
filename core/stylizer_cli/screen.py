"""What a person sees. What was asked for goes to stdout (a path, a table, a picture), everything about it to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Show = Callable[[int, int | None], None]
"""Takes how much is done, and how much there is to do where that is known."""


def out(line: object) -> None:
    """Print what was asked for; the name of a file in the bytes that it has, which need not be text."""
    sys.stdout.buffer.write(os.fsencode(f"{line}\n"))
    sys.stdout.flush()


def tell(line: str) -> None:
    """Print something about it; where stderr cannot be written to, the exit code has to do."""
    with suppress(OSError):
        print(line, file=sys.stderr)  # noqa: T201 - the command line is the one place that prints
        sys.stderr.flush()


def replace_closed_streams() -> None:
    """Open what was closed by the caller (`<&-`, `>&-`), so that no file takes its number.

    Reading from stdin and writing to stdout then fail as they do with a closed file; what goes to stderr is dropped.
    """
    ways = ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY))
    for number, name, way in ways:  # in order: the lowest free number is taken
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def drop_output() -> None:
    """Discard what is still buffered for stdout, if it cannot be written; Python would try again when it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(detail: str) -> None:
    """Print an error, as one line."""
    tell(f"stylizer: error: {' '.join(detail.split())}")


class Bars:
    """Bars on stderr with the time that is left; each goes away when its work is done."""

    def __init__(self, progress: Progress):
        self._progress = progress

    @contextmanager
    def bar(self, doing: str) -> Iterator[Show]:
        """Show one more while the block lasts."""
        task = self._progress.add_task(doing, total=None)
        try:
            yield lambda done, total: self._progress.update(task, completed=done, total=total)
        finally:
            self._progress.remove_task(task)


@contextmanager
def bars(*, quiet: bool = False) -> Iterator[Bars]:
    """Have bars while the block lasts, if there is a screen to show them on."""
    doing = TextColumn("{task.description}", markup=False)  # it may be the name of a file, with brackets in it
    columns = (doing, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    shown = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as progress:
        yield Bars(progress)
