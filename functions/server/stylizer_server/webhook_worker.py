"""Delivery of due webhooks, in a thread of the server."""

from __future__ import annotations

import logging
import threading

from stylizer_service.ports import Ports
from stylizer_service.settings import Settings
from stylizer_service.webhooks.delivery import Sender, deliver

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_BATCH = 20
_STOP_SECONDS = 1.0


class WebhookWorker:
    """A thread that polls for due webhooks and delivers them.

    Pending deliveries are part of the jobs table, so the worker has no state and may be killed at any time.

    Args:
        ports: Adapters of the service.
        settings: Settings of the retries.
        sender: HTTP client of the webhooks.
    """

    def __init__(self, ports: Ports, settings: Settings, sender: Sender):
        self._ports = ports
        self._settings = settings
        self._sender = sender
        self._stopping = threading.Event()
        # A daemon: waiting for a slow response must not block the exit; the attempt is repeated after the next start.
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Start no more attempts, and wait a moment for the running one."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._deliver_due()
            except Exception:
                if not self._stopping.is_set():  # the database may have been closed
                    log.exception("failed to deliver due webhooks; will retry")
            self._stopping.wait(_POLL_SECONDS)

    def _deliver_due(self) -> None:
        for job in self._ports.jobs.with_pending_webhook(self._ports.clock.now(), limit=_BATCH):
            if self._stopping.is_set():
                return
            deliver(self._ports, self._settings, job.id, self._sender)
