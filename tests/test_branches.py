"""The end of `make coverage`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from branches import CORE, SERVICE, SHOWN, main


def report(folder: Path, **taken: int) -> Path:
    """A report of 100 branches a package, of which so many are taken, or else 95, and of lines that are all."""
    summaries = {}
    for name in (SERVICE, *SHOWN):
        branches = taken.get(name.split("/")[-2], 95)
        lines = {"covered_lines": 300, "num_statements": 300}
        summaries[f"{name}module.py"] = lines | {"covered_branches": branches, "num_branches": 100}
    path = folder / "report.json"
    path.write_text(json.dumps({"files": {name: {"summary": summary} for name, summary in summaries.items()}}))
    return path


def test_95_branches_of_100_are_enough_in_the_core_and_in_the_service(tmp_path: Path) -> None:
    assert main(report(tmp_path)) == 0
    assert main(report(tmp_path, functions=0, training=0)) == 0


@pytest.mark.parametrize(
    ("part", "name", "share"),
    [("stylizer", CORE, "94.7%"), ("stylizer_cli", CORE, "94.7%"), ("stylizer_service", SERVICE, "94.0%")],
)
def test_each_has_to_have_enough_in_all_its_parts_together_and_lines_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, name: str, share: str
) -> None:
    assert main(report(tmp_path, **{part: 94})) == 1

    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"fewer than 95% of the branches of {name} are taken"
    assert any(line.split() == [name, "100.0%", "of", "its", "lines", share, "of", "its", "branches"] for line in said)
