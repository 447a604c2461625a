"""The locks of what is deployed: that they hold what is deployed, all of it and nothing else, and how they are made."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from cloud.wheels import write_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import locks
from infra.bundles import ROOT, read_extra
from infra.wheels import MACHINES, applies

LOCKS = ["layer", "painter", "torch-cpu", "torch-cuda", "vgg19"]
CONSTRAINTS = {
    str(canonicalize_name(name)): version
    for name, _, version in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().split())
}
PYPROJECT = """
[project]
name = "house"
dependencies = ["torch==2.13.0"]
optional-dependencies.layer = ["easel>=1"]
optional-dependencies.painter = ["easel>=1"]
optional-dependencies.vgg19 = ["varnish"]
"""


def needed(requirements: list[str], architecture: str) -> set[str]:
    """The names of what requirements come to on Lambda, as the metadata of what is installed here says."""
    waiting, done = [Requirement(text) for text in requirements], dict[str, None]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in done:
            done[str(requirement)] = None
            inner = [Requirement(text) for text in distribution(requirement.name).requires or []]
            waiting += [each for each in inner if applies(each, requirement.extras, architecture)]
    return {str(canonicalize_name(Requirement(text).name)) for text in done}


def test_there_are_these_locks_and_the_images_and_the_layer_use_them() -> None:
    assert sorted(path.stem for path in (ROOT / "locks").glob("*")) == LOCKS


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_that_files_come_from(name: str) -> None:
    text = (ROOT / f"locks/{name}.txt").read_text().replace("TORCH_CPU_INDEX=https://...", "")
    assert not re.search(r"://|--\w*index|--find-links|--trusted-host| @ |# via", text)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_the_versions_that_were_tested_each_with_its_hashes(name: str) -> None:
    for distribution_name, pin in locks.read(name).items():
        of_cuda = name == "torch-cuda" and re.fullmatch("triton|(cuda|nvidia)-.*", distribution_name)
        # What only a GPU needs is installed on no machine that tests: torch says which version it wants.
        assert of_cuda or pin.version.removesuffix("+cpu") == CONSTRAINTS[distribution_name]
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in pin.hashes)
        assert pin.hashes or (name, distribution_name) == ("torch-cpu", "torch")


@pytest.mark.parametrize("architecture", MACHINES)
def test_locks_hold_what_their_requirements_come_to_and_nothing_else(architecture: str) -> None:
    assert set(locks.read("layer")) == needed(read_extra(ROOT, "layer"), architecture)
    painter = needed([*locks.core_requirements(), *read_extra(ROOT, "painter")], architecture)
    assert set(locks.read("painter")) == painter - {"torch"}
    assert set(locks.read("vgg19")) == {"torchvision"}


def test_both_builds_of_torch_are_of_the_version_that_the_project_asks_for() -> None:
    assert locks.read("torch-cuda")["torch"].version == locks.torch_version()
    assert {name: pin.version for name, pin in locks.read("torch-cpu").items()} == {
        "torch": f"{locks.torch_version()}+cpu"
    }


@pytest.mark.parametrize(
    "line", ["easel>=1", "easel", "easel==1.0 --hash=md5:12", "--index-url https://x.test", "easel @ https://x.test"]
)
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(locks.LockError, match=re.escape(line)):
        locks.parse(f"# A comment.\n{line}\n")


# Made by uv itself, from an index of files.


class Index:
    """A package index that is a folder."""

    def __init__(self, folder: Path, *, with_hashes: bool = True):
        self.folder, self.with_hashes = folder, with_hashes

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add(self, name: str, version: str, *, requires: str | None = None) -> str:
        """Have it offer one more wheel; gives its hash."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        mark = write_wheel(folder, name.replace("-", "_"), version, "any", requires=requires).removeprefix("--hash=")
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.whl"))}
        fragments = {file: f"#sha256={digest}" if self.with_hashes else "" for file, digest in hashes.items()}
        links = [f'<a href="{file}{fragment}">{file}</a>' for file, fragment in fragments.items()]
        (folder / "index.html").write_text("\n".join(links))
        return mark


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """All that uv can find."""
    made = Index(tmp_path / "index")
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"DEFAULT_INDEX": made.url, "NO_CONFIG": "1", "NO_CACHE": "1", "OFFLINE": "1"}.items():
        monkeypatch.setenv(f"UV_{name}", value)
    return made


@pytest.fixture
def project(tmp_path: Path, index: Index) -> Path:
    for version in ("1.0", "2.0"):
        index.add("easel", version, requires="varnish")
    index.add("varnish", "1.0", requires='brush; sys_platform == "win32"')
    index.add("torch", "2.13.0", requires="nvidia-paint")
    index.add("nvidia-paint", "1.0")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "constraints.txt").write_text("easel==1.0\nvarnish==1.0\n")
    return tmp_path


def versions(project: Path, name: str) -> dict[str, str]:
    return {each: pin.version for each, pin in locks.read(name, root=project).items()}


def test_locks_are_written_from_the_project_and_its_constraints(project: Path) -> None:
    locks.write_all(project, torch_cpu_index=None)
    assert versions(project, "layer") == versions(project, "painter") == {"easel": "1.0", "varnish": "1.0"}
    assert versions(project, "torch-cuda") == {"nvidia-paint": "1.0", "torch": "2.13.0"}
    assert versions(project, "vgg19") == {"varnish": "1.0"}
    assert locks.read("torch-cpu", root=project) == {"torch": locks.Pin("2.13.0+cpu", frozenset())}
    assert all(pin.hashes for pin in locks.read("layer", root=project).values())


def test_the_hash_of_torchs_build_for_the_cpu_comes_from_the_index_that_is_named_and_is_kept(
    project: Path, tmp_path: Path
) -> None:
    of_cpu = Index(tmp_path / "other")
    mark = of_cpu.add("torch", "2.13.0+cpu")
    (project / "locks").mkdir()
    for index in (of_cpu.url, None):
        locks.write_torch_cpu(project, index)
        assert locks.read("torch-cpu", root=project) == {"torch": locks.Pin("2.13.0+cpu", frozenset([mark]))}


def test_an_index_that_gives_no_hashes_is_no_help(project: Path, tmp_path: Path) -> None:
    of_cpu = Index(tmp_path / "other", with_hashes=False)
    of_cpu.add("torch", "2.13.0+cpu")
    with pytest.raises(locks.LockError, match=r"no hash of torch 2.13.0\+cpu"):
        locks.write_torch_cpu(project, of_cpu.url)


def test_machines_that_need_different_things_are_not_locked_as_one(project: Path, index: Index) -> None:
    index.add("easel", "1.0", requires='varnish; platform_machine == "aarch64"')
    with pytest.raises(locks.LockError, match="aarch64 and x86_64 differ in varnish"):
        locks.write_all(project, torch_cpu_index=None)
    assert not (project / "locks").exists()


def test_what_cannot_be_locked_is_said(project: Path) -> None:
    (project / "constraints.txt").write_text("easel==3.0\n")
    with pytest.raises(locks.LockError, match=r"uv cannot lock(.|\n)*easel==3.0"):
        locks.write_all(project, torch_cpu_index=None)
