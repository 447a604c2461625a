"""What was measured, apart from how it is told: one JSON file, whole after every measurement."""

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
        pixels: Of its picture, width x height.
        measured: What came out.
        seconds: That measuring it took in all.
        load: Load average of the last minute, at its end.
        others: Share of the processors' time that others had meanwhile, 0 to 1.
    """

    job: Job
    pixels: int
    measured: Measurement
    seconds: float
    load: float
    others: float

    @property
    def is_timed(self) -> bool:
        """Whether it is one of seconds and memory, and not of distances alone."""
        return self.measured.mebibytes > 0


@dataclass
class Record:
    """One run of the benchmarks, or as much of it as there is yet.

    Attributes:
        date: When it was begun, YYYY-MM-DD, UTC.
        machine: On which.
        photo: Name, width and height of what was painted.
        entries: In the order of measuring.
        busy: By setting of OpenMP, seconds of a painting beside 0, 1 and 2 busy processes; empty until it is measured.
        api: By kind of first answer, seconds and MiB of the API's cold start; empty until it is measured.
    """

    date: str
    machine: Machine
    photo: tuple[str, int, int]
    entries: list[Entry] = field(default_factory=list)
    api: dict[str, tuple[float, float]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write all of it; a run that is stopped leaves the old file or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".part")
        whole.write_text(json.dumps(asdict(self), indent=1) + "\n")
        whole.replace(path)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read what `save` wrote."""
        told: dict[str, Any] = json.loads(path.read_text())
        entries = [
            Entry(**{**entry, "job": Job(**entry["job"]), "measured": Measurement(**entry["measured"])})
            for entry in told.pop("entries")
        ]
        machine = Machine(**told.pop("machine"))
        return cls(**{**told, "photo": tuple(told["photo"])}, machine=machine, entries=entries)
