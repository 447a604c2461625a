"""The end of `make coverage`: which share of the lines and branches of each package the tests take."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEAST = 0.95
"""The share of their branches that the tests have to take of what is promised."""

SERVICE = "layers/service/python/stylizer_service/"
CORE = "core/"
"""The library, its command line and its client."""

PROMISED = (CORE, SERVICE)
SHOWN = (
    "core/stylizer/",
    "core/stylizer_cli/",
    "core/stylizer_client/",
    "research/training/",
    "research/swatches/",
    "functions/",
)
"""Shown besides: the parts of the core; and research and the functions, of which nothing is promised."""


def main(report: Path) -> int:
    """Show the figures of a report of coverage.py; 1 if too few of the branches that are promised were taken."""
    files = json.loads(report.read_text())["files"]
    for package in (*PROMISED, *SHOWN):
        lines, branches = (_share(files, package, *names) for names in (_LINES, _BRANCHES))
        sys.stdout.write(f"{package:42}{lines:7.1%} of its lines{branches:7.1%} of its branches\n")
    missed = [package for package in PROMISED if _share(files, package, *_BRANCHES) < LEAST]
    if missed:
        sys.stdout.write(f"fewer than {LEAST:.0%} of the branches of {' and of '.join(missed)} are taken\n")
    return 1 if missed else 0


_LINES = ("covered_lines", "num_statements")
_BRANCHES = ("covered_branches", "num_branches")


def _share(files: Mapping[str, Any], package: str, taken: str, there_are: str) -> float:
    """Of branches alone: the percentage that coverage.py shows is of lines and branches together."""
    summaries = [file["summary"] for path, file in files.items() if path.startswith(package)]
    return float(sum(each[taken] for each in summaries) / sum(each[there_are] for each in summaries))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
