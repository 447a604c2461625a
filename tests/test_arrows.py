from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.bundles import CORE_MODULES

ROOT = Path(__file__).parents[1]


def test_no_import_runs_against_the_arrows() -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_what_does_not_paint_does_not_load_torch() -> None:
    code = """
import sys, stylizer, stylizer_service, stylizer_cli.main, stylizer_cli.api_backend, stylizer_api.app
stylizer.styles.catalog()
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_service_imports_only_core_modules_in_the_layer() -> None:
    code = """
import sys
sys.modules["numpy"] = sys.modules["torch"] = None  # an import of either fails
import stylizer_api.lambda_handler, stylizer_service.usecases, stylizer.styles
print(*(module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "stylizer"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    core = ROOT / "core/stylizer"
    assert {Path(file).relative_to(core).as_posix() for file in done.stdout.split()} <= set(CORE_MODULES)
