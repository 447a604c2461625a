"""What the README and the pages say: commands run as written, links and named modules exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from reader import PATIENCE, ROOT, Reader, blocks, serving

TEXT = (ROOT / "README.md").read_text()
PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))


def commands(beginning: str) -> list[str]:
    """The lines of the README's shell that begin so, without the comments behind them."""
    lines = [line.partition("  #")[0].strip() for block in blocks(TEXT, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(beginning)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `make run` would serve."""
    with serving(tmp_path_factory.mktemp("data")) as address:
        yield address


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
@pytest.mark.parametrize("program", blocks(TEXT, "python"))
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
    for page in PAGES:
        for path, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name}: {path}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {path}#{anchor}"


def test_architecture_names_each_module_once_and_rightly() -> None:
    named = Counter(re.findall(r"`(stylizer\w*(?:\.\w+)+)`", (ROOT / "docs/architecture.md").read_text()))

    assert len(named) > 30
    assert [name for name, times in named.items() if times > 1] == []
    assert [name for name in named if find_spec(name) is None] == []


def test_readme_is_shorter_than_150_lines() -> None:
    assert len(TEXT.splitlines()) < 150


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    headings = re.findall("^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
