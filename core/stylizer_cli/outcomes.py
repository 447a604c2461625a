"""What is said of each painting, and the exit code that all of them come to."""

from __future__ import annotations

import typer

from stylizer.errors import Canceled, MaskMismatch, OptionError, StylizerError, UnknownStyle
from stylizer_cli.errands import Errand, Painted
from stylizer_cli.screen import complain, out, tell

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def code_of(error: StylizerError) -> int:
    """The exit code of a failure."""
    if isinstance(error, Canceled):
        return INTERRUPTED
    return USAGE if isinstance(error, OptionError | UnknownStyle) else FAILED


class One:
    """A command that paints one photo: if it fails, the command has failed."""

    def __init__(self, *, quiet: bool):
        self._quiet = quiet

    def __call__(self, errand: Errand, end: Painted | StylizerError) -> None:
        """Tell of it."""
        if isinstance(end, StylizerError):
            raise end
        if self._quiet:
            return
        if errand.target.path is not None:
            out(errand.target.path)
        by = f" ({end.features} features)" if end.features else ""
        tell(f"painted {end.width} x {end.height} pixels in {end.seconds:.1f} s{by}")


class Many:
    """A command that paints many photos: one that fails does not stop the others, unless they would fail alike."""

    def __init__(self, *, quiet: bool):
        self._quiet = quiet
        self._painted, self._skipped, self._failed = 0, 0, 0

    def __call__(self, errand: Errand, end: Painted | StylizerError) -> None:
        """Tell of it."""
        if isinstance(end, Painted):
            self._painted += 1
            if not self._quiet:
                out(errand.target.path)
        elif not _concerns_one(end):
            raise end
        else:
            self._failed += 1
            complain(f"{errand.photo}: {end.detail}")

    def skips(self, errand: Errand) -> bool:
        """Whether one is there already; tells of it."""
        is_there = errand.target.path is not None and errand.target.path.exists()
        if is_there:
            self._skipped += 1
            if not self._quiet:
                tell(f"{errand.target.path} is already there; --force paints it anew")
        return is_there

    def finish(self) -> None:
        """Tell of all, and end with exit code 1 if any has failed."""
        if not self._quiet:
            skipped = f", skipped {self._skipped}" if self._skipped else ""
            failed = f", failed {self._failed}" if self._failed else ""
            tell(f"painted {self._painted}{skipped}{failed}")
        if self._failed:
            raise typer.Exit(FAILED)


def _concerns_one(error: StylizerError) -> bool:
    """Whether a failure is that of one photo, rather than of the command, the styles or the service."""
    return error.code != "no-service" and (error.field in (None, "content", "size") or isinstance(error, MaskMismatch))
