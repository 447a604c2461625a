"""Local adapters: SQLite, files and a painter process on one machine. Survives `kill -9` and restarts."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from stylizer_service.adapters.local.blobs import LocalBlobs
from stylizer_service.adapters.local.database import Database
from stylizer_service.adapters.local.intake import LocalIntake
from stylizer_service.adapters.local.keys import Keys
from stylizer_service.adapters.local.queue import LocalNotifier, LocalQueue
from stylizer_service.adapters.local.quota import Quota
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.adapters.local.signing import Signer, load_secret
from stylizer_service.adapters.local.stores import SqliteJobs, SqliteStyles, SqliteUploads
from stylizer_service.clock import SystemClock
from stylizer_service.ports import Clock, NoLimits, Ports
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service


@dataclass(frozen=True, slots=True)
class Local:
    """The service on one machine, with the adapters that its server and painter use directly."""

    service: Service
    blobs: LocalBlobs
    queue: LocalQueue
    database: Database
    keys: Keys

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self.database.close()


def open_local(settings: Settings, clock: Clock | None = None, *, limits: LocalSettings | None = None) -> Local:
    """Open the service in `settings.data_dir`, creating it if necessary.

    Any number of processes may open the same folder.

    Args:
        settings: Data folder, limits and lifetimes.
        clock: Time source; defaults to the system clock.
        limits: Quotas for callers' data; None for processes that accept none, such as the painter.
    """
    clock = clock or SystemClock()
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    catalog = settings.load_styles()
    secret = load_secret(folder / "secret")
    blobs = LocalBlobs(folder, Signer(secret), clock)
    database = Database(folder / "stylizer.db")
    queue = LocalQueue(database, clock)
    ports = Ports(
        jobs=SqliteJobs(database),
        uploads=SqliteUploads(database),
        styles=SqliteStyles(database),
        blobs=blobs,
        dispatcher=queue,
        notifier=LocalNotifier(),
        clock=clock,
        intake=_intake(folder, database, limits) if limits else NoLimits(),
        # A derived key per purpose, so that a leaked signature reveals nothing about the others.
        webhook_key=lambda: hmac.digest(secret, b"webhooks", "sha256"),
    )
    return Local(Service(ports, catalog, settings), blobs, queue, database, Keys(database, clock))


def _intake(folder: Path, database: Database, limits: LocalSettings) -> LocalIntake:
    quota = Quota(folder, max_bytes=limits.max_disk, min_free=limits.min_free)
    return LocalIntake(database, quota, limits)
