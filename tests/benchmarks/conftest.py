from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.machine import Machine
from benchmarks.measuring import Job, Measurement
from benchmarks.record import Entry, Record

MACHINE = Machine(
    processor="Abacus 7",
    cores=2,
    memory=24.0,
    system="Linux",
    python="3.11",
    torch="2.13",
    extensions="AVX512",
    precision="bfloat16",
    product=(190.0, 800.0),
    convolution=(9.9, 5.0),
)
JOB = Job("painting", "cat.jpg", "mosaic", 512, "feedforward")
# The photo is 3:2, of whole pixels at every size.
PIXELS = {512: 512 * 341, 1024: 1024 * 682, 2048: 2048 * 1364}


def entry(job: Job, measured: Measurement, others: float = 0.01) -> Entry:
    return Entry(job, PIXELS[job.size], measured, seconds=60.0, load=1.5, others=others)


@pytest.fixture
def record() -> Record:
    """Feed-forward paintings at three sizes, and its yardstick at two of them, four times as slow at twice the side."""
    paintings = [
        entry(replace(JOB, size=size), Measurement(seconds, 700.0, seconds - 0.05, 0.0, seconds + 1, 650.0, 0.0, looks))
        for size, seconds, looks in (
            (512, 0.25, {"compact encoder": (0.5, 0.75)}),
            (1024, 1.0, {"compact encoder": (0.25, 0.125)}),
            (2048, 4.0, {"compact encoder": (0.1, 0.2)}),
        )
    ]
    textbook = [
        entry(replace(JOB, subject="textbook-johnson", size=size), Measurement(seconds, mebibytes))
        for size, seconds, mebibytes in ((512, 1.0, 400.0), (1024, 4.0, 1600.0))
    ]
    photo = entry(replace(JOB, subject="photo"), Measurement(0.0, 0.0, distances={"compact encoder": (1.5, 0.0)}))
    api = {"bare": (0.5, 50.0), "health": (0.6, 60.0), "paint": (1.0, 75.0)}
    busy = {"a short spin": [0.25, 0.5, 0.75], "a long spin": [0.25, 4.0, 8.0]}
    return Record("2026-11-23", MACHINE, ("cat.jpg", 1536, 1024), [*paintings, *textbook, photo], api, busy)
