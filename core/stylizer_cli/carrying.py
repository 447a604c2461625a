"""Has errands painted, here or by a service."""

from __future__ import annotations

from collections.abc import Iterable

from stylizer_cli import here
from stylizer_cli.errands import Errand, OnEnd
from stylizer_cli.screen import bars
from stylizer_cli.service import Service


def carry_out(errands: Iterable[Errand], service: Service | None, on_end: OnEnd, *, quiet: bool) -> None:
    """Paint all: by the service if there is one, or else on this machine.

    Args:
        errands: What to paint.
        service: What paints.
        on_end: Told how each ended.
        quiet: Whether to do without bars.
    """
    with bars(quiet=quiet) as shown:
        if service is None:
            here.paint(errands, shown, on_end)
        else:
            from stylizer_cli import remote  # brings httpx

            remote.paint(errands, service, shown, on_end)
