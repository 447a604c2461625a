"""What `pip install` gives: the command and the library, with weights and styles, and nothing of this checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from pictures import disk_photo
from PIL import Image

from stylizer_service import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("stylizer", "stylizer_cli", "stylizer_client", "stylizer_service"),
    *("stylizer_api", "stylizer_painter", "stylizer_reconciler", "stylizer_server"),
)
pytestmark = pytest.mark.xdist_group("packaging")
PATIENCE = 400.0  # seconds; nothing here measures time


class Installation:
    """A new virtual environment with the project's wheel in it, and a home of its own."""

    def __init__(self, folder: Path, wheel: Path):
        self.folder = folder
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")])
        install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
        _run([sys.executable, "-m", "pip", "--python", str(folder / "venv/bin/python"), *install])

    def run(self, command: str, *arguments: str) -> str:
        # What the project needs comes from the environment of the tests, as this one must not download it again. Of the
        # project itself nothing comes along: its editable installation is a .pth, which is not read from PYTHONPATH.
        needed = sysconfig.get_paths()["purelib"]
        environment = {"PATH": "", "HOME": str(self._home), "PYTHONPATH": needed, "OMP_NUM_THREADS": "1"}
        return _run([str(self.folder / "venv/bin" / command), *arguments], cwd=self._home, environment=environment)


def _run(command: Sequence[str], *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from that."""
    folder = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)], cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def installation(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    (wheel,) = built.glob("*.whl")
    return Installation(tmp_path_factory.mktemp("installed"), wheel)


def test_installed_command_paints_outside_the_checkout(installation: Installation) -> None:
    photo, painting = installation.folder / "photo.jpg", installation.folder / "painting.png"
    photo.write_bytes(disk_photo())

    installation.run("stylizer", "paint", str(photo), "--style", "great-wave", "--size", "64", "-o", str(painting))

    with Image.open(painting) as image:
        assert max(image.size) == 64


def test_the_wheel_installs_only_its_packages_each_typed(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_everything_that_the_library_needs_is_inside_the_wheel(installation: Installation) -> None:
    script = f"import {', '.join(PACKAGES)}; print(stylizer.__file__)"

    place = installation.run("python", "-c", script)
    styles = installation.run("stylizer", "styles")

    assert installation.run("stylizer-server", "--version").strip() == __version__
    assert Path(place.strip()).is_relative_to(installation.folder)
    shipped = {entry.name for entry in (ROOT / "core/stylizer/styles").iterdir() if (entry / "style.toml").exists()}
    assert shipped
    assert all(name in styles for name in shipped)


def test_source_distribution_has_tests_and_no_build_products(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}

    assert {"core", "layers", "functions", "infra", "tests", "Makefile", "constraints.txt", "LICENSE"} <= tops
    assert not tops & {".venv", "build", "cdk.out", "data", "dist"}
