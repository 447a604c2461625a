from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    ROOT / "core/stylizer",
    ROOT / "core/stylizer_cli",
    ROOT / "core/stylizer_client",
    ROOT / "layers/service/python/stylizer_service",
    ROOT / "functions",
    ROOT / "infra",
)
# A module, what it must not import, and how the checker is to report it.
STRAYS = {
    "stylizer/stray_a.py": ("import stylizer_service", "stylizer.stray_a -> stylizer_service"),
    "stylizer/stray_b.py": ("import boto3", "stylizer.stray_b -> boto3"),
    "stylizer/images/stray.py": ("def late():\n    import torch", "stylizer.images.stray -> torch"),
    "stylizer/stray_c.py": ("import stylizer_client", "stylizer.stray_c -> stylizer_client"),
    "stylizer/stray_d.py": ("import stylizer_cli.main", "stylizer.stray_d -> stylizer_cli.main"),
    "stylizer/stray_e.py": ("import httpx", "stylizer.stray_e -> httpx"),
    "stylizer_client/stray_a.py": ("import stylizer.options", "stylizer_client.stray_a -> stylizer.options"),
    "stylizer_client/stray_b.py": (
        "import stylizer_service.models",
        "stylizer_client.stray_b -> stylizer_service.models",
    ),
    "stylizer_cli/stray.py": ("import stylizer_service.models", "stylizer_cli.stray -> stylizer_service.models"),
    "functions/painter/stray.py": ("import stylizer_cli.main", "functions.painter.stray -> stylizer_cli.main"),
    "stylizer_service/stray_a.py": (
        "import stylizer.options",
        "stylizer_service.stray_a -> stylizer.options",
    ),
    "stylizer_service/stray_b.py": ("import functions.api", "stylizer_service.stray_b -> functions.api"),
    "stylizer_service/local/stray_a.py": ("import botocore.session", "stylizer_service.local.stray_a -> botocore"),
    "stylizer_service/local/stray_b.py": (
        "from stylizer_service import aws",
        "stylizer_service.local.stray_b -> stylizer_service.aws",
    ),
    "functions/api/stray.py": ("import stylizer.errors", "functions.api.stray -> stylizer.errors"),
    "functions/local/stray.py": ("import functions.painter", "functions.local.stray -> functions.painter"),
    "infra/stray_a.py": ("import stylizer_service.aws.schema", "infra.stray_a -> stylizer_service.aws.schema"),
    "infra/stray_b.py": ("import functions.api.app", "infra.stray_b -> functions.api.app"),
    "functions/api/stray_b.py": ("import infra.routes", "functions.api.stray_b -> infra.routes"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(
        [*command, "--config", folder / "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages side by side, to be spoiled."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        sources = shutil.ignore_patterns("__pycache__", "*.webp", "*.safetensors", "static")
        shutil.copytree(package, tmp_path / package.name, ignore=sources)
    return tmp_path


def test_no_import_runs_against_the_arrows() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_an_import_against_the_arrows_is_reported(copy: Path) -> None:
    for name, (statement, _) in STRAYS.items():
        (copy / name).write_text(statement + "\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    for _, report in STRAYS.values():
        assert report in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import stylizer",
        "import stylizer_service",
        "import stylizer_cli.main",
        "import stylizer_cli.api_backend",
        "import functions.api.app",
        "from stylizer import styles; styles.catalog()",
    ],
)
def test_what_does_not_paint_does_not_load_torch(statement: str) -> None:
    code = f"{statement}\nimport sys\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
