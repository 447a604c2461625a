"""Measurements, separate from their presentation: one JSON file, valid after every measurement."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.measuring import Job, Measurement


@dataclass(frozen=True)
class Entry:
    """One measurement.

    Attributes:
        job: What was measured.
        pixels: Width x height of the image.
        measured: The result.
        seconds: Total duration of the measurement.
        load: One-minute load average at its end.
        others: CPU load from other processes meanwhile, 0 to 1.
    """

    job: Job
    pixels: int
    measured: Measurement
    seconds: float
    load: float
    others: float

    @property
    def is_timed(self) -> bool:
        """Whether it has seconds and memory, and not distances alone."""
        return self.measured.mebibytes > 0


@dataclass
class Record:
    """One run of the benchmarks, complete or in progress.

    Attributes:
        date: Start date, YYYY-MM-DD, UTC.
        machine: Machine it ran on.
        photo: Name, width and height of the photo.
        entries: In order of measurement.
        busy: By OpenMP setting, seconds of a painting beside 0, 1 and 2 busy processes; empty until measured.
        clips: By clip and method, see `benchmarks.clips`; empty until measured.
        api: By kind of first response, seconds and MiB of the API's cold start; empty until measured.
    """

    date: str
    machine: Machine
    photo: tuple[str, int, int]
    entries: list[Entry] = field(default_factory=list)
    api: dict[str, tuple[float, float]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)
    clips: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the whole record atomically; an interrupted run leaves the old file or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".part")
        whole.write_text(json.dumps(asdict(self), indent=1) + "\n")
        whole.replace(path)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a file that `save` wrote."""
        told: dict[str, Any] = json.loads(path.read_text())
        entries = [
            Entry(**{**entry, "job": Job(**entry["job"]), "measured": Measurement(**entry["measured"])})
            for entry in told.pop("entries")
        ]
        machine = Machine(**told.pop("machine"))
        return cls(**{**told, "photo": tuple(told["photo"])}, machine=machine, entries=entries)
