"""Terminal output: results (paths, tables, pictures) on stdout, notes, errors and progress on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

ProgressCallback = Callable[[int, int | None], None]
"""Receives the completed steps and the total, or None if unknown."""


def print_output(line: object) -> None:
    """Print a result to stdout; file names are written as their raw bytes."""
    sys.stdout.buffer.write(os.fsencode(f"{line}\n"))
    sys.stdout.flush()


def print_note(line: str) -> None:
    """Print a note to stderr; an unwritable stderr is ignored."""
    with suppress(OSError):
        print(line, file=sys.stderr)  # noqa: T201 - this is the command line
        sys.stderr.flush()


def replace_closed_streams() -> None:
    """Reopen standard streams closed by the caller (`<&-`, `>&-`), so that no other file gets their descriptors.

    Reading stdin and writing stdout then fail as with a closed file; writes to stderr are dropped.
    """
    modes = ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY))
    for number, name, mode in modes:  # in order: open() takes the lowest free descriptor
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def drop_output() -> None:
    """Discard buffered output of an unwritable stdout, which Python would flush again on exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(detail: str) -> None:
    """Print an error as one line."""
    print_note(f"stylizer: error: {' '.join(detail.split())}")


class Bars:
    """Progress bars on stderr, each removed when its work is done."""

    def __init__(self, progress: Progress):
        self._progress = progress

    @contextmanager
    def bar(self, label: str) -> Iterator[ProgressCallback]:
        """Show a bar during the block."""
        task = self._progress.add_task(label, total=None)
        try:
            yield lambda done, total: self._progress.update(task, completed=done, total=total)
        finally:
            self._progress.remove_task(task)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Bars]:
    """Show progress bars during the block, if stderr is a terminal."""
    label = TextColumn("{task.description}", markup=False)  # file names may contain brackets
    columns = (label, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    is_shown = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as progress:
        yield Bars(progress)
