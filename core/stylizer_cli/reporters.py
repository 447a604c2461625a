"""Reporting of finished jobs, and exit codes."""

from __future__ import annotations

import typer

from stylizer.errors import Canceled, MaskMismatch, OptionError, StylizerError, UnknownStyle
from stylizer_cli.jobs import Painted, PaintJob
from stylizer_cli.screen import print_error, print_note, print_output

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def exit_code(error: StylizerError) -> int:
    """Map an error to an exit code."""
    if isinstance(error, Canceled):
        return INTERRUPTED
    return USAGE if isinstance(error, OptionError | UnknownStyle) else FAILED


class SingleReporter:
    """Reports the only job of a command, whose failure is the failure of the command."""

    def __init__(self, *, quiet: bool):
        self._quiet = quiet

    def __call__(self, job: PaintJob, end: Painted | StylizerError) -> None:
        """Report the outcome, or raise the error."""
        if isinstance(end, StylizerError):
            raise end
        if self._quiet:
            return
        for path in job.files:
            print_output(path)
        by = f" ({end.features} features)" if end.features else ""
        count = f"{job.request.variants} times " if job.request.variants > 1 else ""
        count = f"{end.frames} frames of " if end.frames else count
        print_note(f"painted {count}{end.width} x {end.height} pixels in {end.seconds:.1f} s{by}")


class BatchReporter:
    """Reports many jobs, and counts them. Only an error that every job would meet is raised."""

    def __init__(self, *, quiet: bool):
        self._quiet = quiet
        self._painted, self._skipped, self._failed = 0, 0, 0

    def __call__(self, job: PaintJob, end: Painted | StylizerError) -> None:
        """Report the outcome of one job."""
        if isinstance(end, Painted):
            self._painted += 1
            if not self._quiet:
                for path in job.files:
                    print_output(path)
        elif not _concerns_one_photo(end):
            raise end
        else:
            self._failed += 1
            print_error(f"{job.photo}: {end.detail}")

    def skip_existing(self, job: PaintJob) -> bool:
        """Return whether the target exists, and report so."""
        exists = bool(job.files) and all(path.exists() for path in job.files)
        if exists:
            self._skipped += 1
            if not self._quiet:
                print_note(f"{job.files[0]} already exists; --force replaces it")
        return exists

    def finish(self) -> None:
        """Report the counts, and exit with code 1 if any job failed."""
        if not self._quiet:
            skipped = f", skipped {self._skipped}" if self._skipped else ""
            failed = f", failed {self._failed}" if self._failed else ""
            print_note(f"painted {self._painted}{skipped}{failed}")
        if self._failed:
            raise typer.Exit(FAILED)


def _concerns_one_photo(error: StylizerError) -> bool:
    """Whether an error concerns one photo, rather than the options, the styles or the service."""
    return error.code != "no-service" and (error.field in (None, "content", "size") or isinstance(error, MaskMismatch))
