"""What stands in the README can be typed as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import disk_photo
from PIL import Image

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
ADDRESS = "localhost:8000"
PATIENCE = 200.0  # seconds; nothing here measures time


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def commands(beginning: str) -> list[str]:
    """The lines of the README's shell that begin so, without the comments behind them."""
    lines = [line.partition("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(beginning)]


class Reader:
    """Somebody in a checkout of their own, with a home of their own, and the service running."""

    def __init__(self, folder: Path, address: str):
        self.folder = folder
        self._address = address
        home = folder / "home"
        home.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "docs").symlink_to(ROOT / "docs")
        (folder / "holiday").mkdir()
        for name in ("holiday/beach.jpg", "holiday/mountain.jpg", "quilt.jpg"):
            (folder / name).write_bytes(disk_photo())
        self._environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}

    def types(self, *arguments: str, stdin: str | None = None) -> str:
        command = [argument.replace(ADDRESS, self._address) for argument in arguments]
        text = None if stdin is None else stdin.replace(ADDRESS, self._address)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def shows(self, name: str) -> bool:
        """Whether there is a picture of that name."""
        with Image.open(self.folder / name) as image:
            return image.size[0] > 16


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `make run` would serve."""
    command = [sys.executable, "-c", "from functions.local.server import main; main()", "--port", "0", "--data-dir"]
    data = tmp_path_factory.mktemp("data")
    with subprocess.Popen(
        [*command, str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        page = next(line for line in server.stdout if "Page" in line)
        yield page.split("//")[1].strip().rstrip("/")
        server.terminate()


@pytest.fixture
def reader(tmp_path: Path, address: str) -> Reader:
    return Reader(tmp_path, address)


@pytest.mark.xdist_group("readme")
def test_the_calls_with_curl_give_a_painting(reader: Reader) -> None:
    paint, fetch = commands("curl")

    answer = reader.types("bash", "-ec", paint)
    (job_id,) = set(re.findall(r"stz_[a-z2-7]{26}", answer))
    reader.types("bash", "-ec", fetch.replace("stz_…", job_id))

    assert '"status":"succeeded"' in answer
    assert reader.shows("painted.jpg")


@pytest.mark.xdist_group("readme")
@pytest.mark.parametrize("command", commands(".venv/bin/stylizer"))
def test_each_command_line_runs_as_it_stands_there(reader: Reader, command: str) -> None:
    reader.types("bash", "-ec", command)

    for written in re.findall(r"-o (\S+)", command):
        assert reader.shows(written)
    for folder in re.findall(r"--to (\S+)", command):
        assert len(list((reader.folder / folder).glob("*.jpg"))) == 2


@pytest.mark.xdist_group("readme")
@pytest.mark.parametrize("program", blocks("python"))
def test_each_program_paints_what_it_says(reader: Reader, program: str) -> None:
    reader.types(sys.executable, "-", stdin=program)

    assert any(reader.shows(name) for name in re.findall(r'"(painted\.\w+)"', program))


def test_every_target_of_make_that_is_named_is_there() -> None:
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]+)", TEXT, re.MULTILINE)

    assert named
    for target in set(named):
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        assert "No rule" not in done.stderr, target


def test_every_link_into_the_repository_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name
