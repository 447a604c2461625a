"""Tells callers on one machine that their jobs have ended."""

from __future__ import annotations

import logging
import threading

from stylizer_service.ports import Ports
from stylizer_service.settings import Settings
from stylizer_service.webhooks.delivery import Sender, deliver

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_BATCH = 20
_STOP_SECONDS = 1.0


class Messenger:
    """A thread that looks once a second whom to tell.

    What is to be told stands in the table of jobs: it needs no memory of its own, and may be killed at any time.

    Args:
        ports: Where the jobs are.
        settings: How often to try.
        sender: Sends the requests.
    """

    def __init__(self, ports: Ports, settings: Settings, sender: Sender):
        self._ports = ports
        self._settings = settings
        self._sender = sender
        self._stopping = threading.Event()
        # A daemon: a try that waits for a slow answer must not keep the process; it is made again after the next start.
        self._thread = threading.Thread(target=self._keep_telling, name="messenger", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more tries. Waits a moment for the one that runs."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _keep_telling(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tell_all()
            except Exception:
                if not self._stopping.is_set():  # after that, its database may have been closed
                    log.exception("the webhooks that are due could not be sent; trying again")
            self._stopping.wait(_LOOK_SECONDS)

    def _tell_all(self) -> None:
        for job in self._ports.jobs.untold(self._ports.clock.now(), limit=_BATCH):
            if self._stopping.is_set():
                return
            deliver(self._ports, self._settings, job.id, self._sender)
