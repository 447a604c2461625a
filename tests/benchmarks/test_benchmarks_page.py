from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.figures import Figures
from benchmarks.page import KEPT, page, plot
from benchmarks.record import Record


def cells(text: str, *starts: str) -> list[list[str]]:
    """Of every table row whose first cells are these, the other cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row[len(starts) :] for row in rows if row[: len(starts)] == list(starts)]


def test_a_painting_is_told_with_its_seconds_and_memory_cold_and_warm(record: Record) -> None:
    assert cells(page(Figures(record)), "`feedforward`", "1,024", "standard") == [["2", "650", "1", "0.95", "700"]]


def test_a_yardstick_beyond_what_was_measured_is_reckoned_and_marked(record: Record) -> None:
    beside = cells(page(Figures(record)), "`feedforward`", "Johnson's network")
    assert beside[:2] == [["512", "0.25", "1", "4", "700", "400"], ["1,024", "1", "4", "4", "700", "1,600"]]
    assert beside[2] == ["2,048", "4", "≈ 16", "≈ 4", "700", "≈ 6,400"]


def test_the_exponent_of_growth_is_that_of_the_seconds(record: Record) -> None:
    ((at_a_megapixel, exponent, doubled, sizes),) = cells(page(Figures(record)), "Johnson's network")
    assert (exponent, doubled, sizes) == ("1.00", "4 times as long", "512, 1,024")
    assert float(at_a_megapixel) == pytest.approx(4 / (1.024 * 0.682), rel=0.01)


def test_jobs_at_once_take_a_start_and_then_their_seconds_one_after_another(record: Record) -> None:
    assert cells(page(Figures(record)), "`feedforward`", "this machine, 1 painter") == [["2", "11", "101", "1,001"]]


def test_distances_are_told_beside_those_of_the_photo(record: Record) -> None:
    text = page(Figures(record))
    assert cells(text, "the photo") == [["1.500", "0.000"]]
    assert ["0.250", "0.125"] in cells(text, "`feedforward`", "1,024")


def test_the_start_of_the_api_is_compared_with_bare_libraries(record: Record) -> None:
    assert cells(page(Figures(record)), "POST /v1/stylizations") == [["1.00", "2.00", "75", "1.50"]]


def test_busy_machine_table_has_seconds_by_setting(record: Record) -> None:
    assert cells(page(Figures(record)), "a long spin") == [["0.25", "4", "8"]]


def test_what_was_not_measured_is_said(record: Record) -> None:
    text = " ".join(page(Figures(record)).split())
    missing = "`draft` at 512, 1,024, 2,048, 4,096 and `standard` at 4,096 and `high` at 512, 1,024, 2,048, 4,096"
    assert f"`feedforward` paints up to 8,192 pixels, not measured to save time: {missing};" in text


@pytest.mark.parametrize(("others", "said"), [(0.02, "it was quiet"), (0.5, "the machine was busy")])
def test_the_page_says_how_busy_others_kept_the_machine(record: Record, others: float, said: str) -> None:
    record.entries = [replace(entry, others=others) for entry in record.entries]
    text = " ".join(page(Figures(record)).split())
    assert "load average was 1.5 to 1.5" in text
    assert said in text


def test_what_people_wrote_below_the_mark_is_kept_and_the_rest_is_not(record: Record) -> None:
    text = page(Figures(record), f"old figures\n\n{KEPT}\n## Tried\n\nA trick: 3% faster.\n")
    assert text.endswith(f"{KEPT}\n## Tried\n\nA trick: 3% faster.\n")
    assert "old figures" not in text


def test_a_page_of_a_run_without_teachers_yardsticks_or_api_can_be_written(record: Record) -> None:
    record.entries = [replace(entry, measured=replace(entry.measured, distances={})) for entry in record.entries[:1]]
    record.api, record.busy = {}, {}
    text = page(Figures(record))
    assert "## Quality" not in text
    assert "Cold start of the API" not in text
    assert len(cells(text, "`feedforward`", "512", "standard")) == 1


def test_the_plot_has_a_line_for_each_method_and_yardstick_at_its_logarithms(record: Record) -> None:
    root = ElementTree.fromstring(plot(Figures(record)))  # noqa: S314 - our own picture
    space = "{http://www.w3.org/2000/svg}"
    names = [element.text for element in root.iter(f"{space}text")]
    assert (names.count("feedforward"), names.count("Johnson's network")) == (2, 2)
    lines = [path.get("d", "") for path in root.iter(f"{space}path") if "l " in path.get("class", "")]
    (x0, y0), (x1, y1), (x2, y2) = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", lines[0])]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.3)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.3)
    # From 0.1 to 10 seconds, two powers of ten, the axis is 366 units high.
    assert y0 - y1 == pytest.approx(366 * math.log10(4) / 2, abs=0.3)


def test_names_in_the_plot_never_lie_on_each_other(record: Record) -> None:
    ours = record.entries[0]
    record.entries = [ours, replace(ours, job=replace(ours.job, subject="textbook-johnson"))]
    root = ElementTree.fromstring(plot(Figures(record)))  # noqa: S314 - our own picture
    named = {"feedforward", "Johnson's network"}
    heights = [float(text.get("y", "0")) for text in root.iter() if text.text in named]
    assert min(abs(heights[i] - heights[i + 1]) for i in (0, 2)) == pytest.approx(14, abs=0.1)


def test_a_record_is_read_as_it_was_written(record: Record, tmp_path: Path) -> None:
    record.save(tmp_path / "build" / "bench.json")
    again = Record.load(tmp_path / "build" / "bench.json")
    assert page(Figures(again)) == page(Figures(record))
    assert {entry.job for entry in again.entries} == {entry.job for entry in record.entries}
