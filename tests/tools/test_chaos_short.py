"""The chaos in small: one fault of each kind, and a few jobs. `make chaos` has more of both."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("where", ["local", "aws"])
def test_no_job_is_lost_or_painted_twice_under_faults(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.chaos", f"--{where}", "--jobs=8", "--minutes=0.05", "--seed=4"],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "BROKEN" not in done.stdout
    assert re.search(r"jobs accepted +8\n", done.stdout)
