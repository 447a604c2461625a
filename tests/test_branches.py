"""The end of `make coverage`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from branches import CORE, SERVICE, SHOWN, main


def report(folder: Path, **branches: int) -> Path:
    """A report of 100 branches a package, of which so many are taken, and of lines that are all."""
    packages = ("core/stylizer/", SERVICE, *SHOWN)
    summaries = {f"{name}module.py": {"covered_lines": 300, "num_statements": 300} for name in packages}
    for name, summary in summaries.items():
        taken = branches.get("service" if name.startswith(SERVICE) else "core", 95)
        summary.update(covered_branches=taken, num_branches=100)
    path = folder / "report.json"
    path.write_text(json.dumps({"files": {name: {"summary": summary} for name, summary in summaries.items()}}))
    return path


def test_95_branches_of_100_are_enough_in_the_core_and_in_the_service(tmp_path: Path) -> None:
    assert main(report(tmp_path)) == 0


@pytest.mark.parametrize(("package", "name"), [("core", CORE), ("service", SERVICE)])
def test_each_has_to_have_enough_for_itself_and_lines_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], package: str, name: str
) -> None:
    assert main(report(tmp_path, **{package: 94})) == 1

    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"fewer than 95% of the branches of {name} are taken"
    assert any(
        line.split() == [name, "100.0%", "of", "its", "lines", "94.0%", "of", "its", "branches"] for line in said
    )
