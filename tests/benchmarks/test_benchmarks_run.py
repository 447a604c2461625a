from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as run
from benchmarks import machine, plan
from benchmarks.measuring import Job, Measurement, measure
from benchmarks.record import Record
from stylizer import METHOD_NAMES, methods

FIRST = Job("painting", str(plan.PHOTO), plan.STYLE, 0, "feedforward")


def test_everything_has_each_method_at_every_size_that_it_takes() -> None:
    painted = {(job.method, job.size) for job in plan.everything(FIRST) if job.subject == "painting"}
    takes = {name: max(limit.size for limit in methods.load(name).LARGEST.values()) for name in METHOD_NAMES}
    assert painted == {(name, size) for name in METHOD_NAMES for size in plan.SIZES if size <= takes[name]}


def test_everything_has_no_measurement_twice() -> None:
    jobs = plan.everything(FIRST)
    assert len(jobs) == len(set(jobs))


def test_sizes_that_are_named_are_measured_whatever_they_take() -> None:
    jobs = plan.chosen(FIRST, ["texture"], [4096], ["high"])
    assert [(job.subject, job.quality) for job in jobs] == [
        ("painting", "high"),
        ("search", "standard"),
        ("textbook-search", "standard"),
    ]


def test_a_run_goes_on_where_it_was_stopped_and_repeats_what_others_disturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Job] = []

    def measure_two(job: Job) -> Measurement:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(job)
        return Measurement(float(len(measured)), 1.0)

    out = tmp_path / "bench.json"
    command = ["benchmarks", "--methods", "texture", "--sizes", "64", "--qualities", "draft", "--out", str(out)]
    monkeypatch.setattr(machine, "REPEATS", 1)  # the machine is described at each start
    monkeypatch.setattr(run, "measure", measure_two)
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(KeyboardInterrupt):
        run.main()
    monkeypatch.setattr(sys, "argv", [*command, "--resume"])
    monkeypatch.setattr(run, "measure", lambda job: Measurement(9.0, float(job.size)))
    run.main()
    record = Record.load(out)
    assert [entry.measured.seconds for entry in record.entries] == [1.0, 2.0, 9.0]
    assert [entry.job.subject for entry in record.entries] == ["painting", "search", "textbook-search"]

    disturbed, *rest = record.entries
    record.entries = [replace(disturbed, others=0.6), *(replace(entry, others=0.1) for entry in rest)]
    record.save(out)
    monkeypatch.setattr(sys, "argv", [*command, "--resume", "--busy", "0.5"])
    run.main()
    assert sorted(entry.measured.seconds for entry in Record.load(out).entries) == [2.0, 9.0, 9.0]


def test_a_painting_is_measured_in_a_process_of_its_own() -> None:
    found = measure(Job("painting", str(plan.PHOTO), plan.STYLE, 64, "feedforward"))
    assert found.cold > found.seconds > found.in_method > 0
    assert found.mebibytes >= found.cold_mebibytes > 100
    style, content = found.distances["compact encoder"]
    assert style > 0
    assert content > 0
