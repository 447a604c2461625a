from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_no_import_runs_against_the_arrows() -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import stylizer",
        "import stylizer_service",
        "import stylizer_cli.main",
        "import stylizer_cli.api_backend",
        "import stylizer_api.app",
        "from stylizer import styles; styles.catalog()",
    ],
)
def test_what_does_not_paint_does_not_load_torch(statement: str) -> None:
    code = f"{statement}\nimport sys\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
