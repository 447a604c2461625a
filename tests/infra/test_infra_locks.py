"""The locks hold what is deployed, all of it and nothing else, and `make licenses` and `make sbom` cover them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, files
from pathlib import Path

import pytest
from cloud.wheels import read_lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.bundles import MACHINES, PYTHON, ROOT

LOCKS = ["layer", "painter", "torch-cpu", "torch-cuda", "vgg19"]
CONSTRAINTS = {
    str(canonicalize_name(name)): version
    for name, _, version in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().split())
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def extra(name: str) -> list[str]:
    """Return the requirements of an extra, with those of the extras it includes."""
    found: list[str] = []
    for text in PROJECT["optional-dependencies"][name]:
        requirement = Requirement(text)
        inner = requirement.extras if requirement.name == PROJECT["name"] else ()
        found += [each for included in inner for each in extra(included)] if inner else [text]
    return found


def resolve(requirements: list[str], machine: str) -> set[str]:
    """Return the names that requirements resolve to on Lambda, by the metadata of the installed packages."""
    lambda_ = {"python_version": PYTHON, "sys_platform": "linux", "platform_machine": machine}
    waiting, done = [Requirement(text) for text in requirements], dict[str, None]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in done:
            done[str(requirement)] = None
            for each in map(Requirement, distribution(requirement.name).requires or []):
                extras = ("", *requirement.extras)
                if not each.marker or any(each.marker.evaluate(lambda_ | {"extra": name}) for name in extras):
                    waiting.append(each)
    return {str(canonicalize_name(Requirement(text).name)) for text in done}


def test_every_lock_is_known() -> None:
    assert sorted(path.stem for path in (ROOT / "locks").glob("*")) == LOCKS


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_index(name: str) -> None:
    text = (ROOT / f"locks/{name}.txt").read_text().replace("TORCH_CPU_INDEX=https://...", "")
    assert not re.search(r"://|--\w*index|--find-links|--trusted-host| @ |# via", text)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_tested_versions_with_hashes(name: str) -> None:
    for package, (version, hashes) in read_lock(name).items():
        # CUDA's packages are installed on no machine that tests: torch's metadata pins their versions.
        is_cuda = name == "torch-cuda" and re.fullmatch("triton|(cuda|nvidia)-.*", package)
        assert is_cuda or version.removesuffix("+cpu") == CONSTRAINTS[package]
        assert hashes or (name, package) == ("torch-cpu", "torch")


@pytest.mark.parametrize("machine", MACHINES.values())
def test_locks_match_requirements(machine: str) -> None:
    assert set(read_lock("layer")) == resolve(extra("layer"), machine)
    painter = resolve([*PROJECT["dependencies"], *extra("painter")], machine)
    assert set(read_lock("painter")) == painter - {"torch"}
    assert set(read_lock("vgg19")) == {"torchvision"}
    locked = {name: version for lock in LOCKS for name, (version, _) in read_lock(lock).items()}
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extra("layer"), *extra("painter")]):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])


def test_both_torch_builds_have_the_required_version() -> None:
    (required,) = [text.partition("==")[2] for text in PROJECT["dependencies"] if text.startswith("torch==")]
    assert read_lock("torch-cuda")["torch"][0] == required
    assert {name: pin[0] for name, pin in read_lock("torch-cpu").items()} == {"torch": f"{required}+cpu"}


def test_service_and_core_list_pillow_alike() -> None:
    core = {text for text in PROJECT["dependencies"] if text.startswith("pillow")}
    assert core == {text for text in extra("layer") if text.startswith("pillow")}


def make(target: str, folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile in a copy of what it reads."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "locks", folder / "locks", dirs_exist_ok=True)
    arguments = [target, "-o", ".venv/.dev", f"BIN={Path(sys.executable).parent}", *variables]
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_licenses_covers_every_locked_package(tmp_path: Path) -> None:
    done = make("licenses", tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("Name ")[2].splitlines()[1:]
    listed = {str(canonicalize_name(line.split()[0])) for line in table if line.strip()}
    assert listed == {*read_lock("layer"), *read_lock("painter"), "torch"}


def test_license_that_is_not_allowed_fails(tmp_path: Path) -> None:
    done = make("licenses", tmp_path)
    assert done.returncode == 0
    project = tmp_path / "pyproject.toml"
    shutil.copy(project, tmp_path / "strict.toml")
    text = project.read_text()
    assert ";PSF-2.0" in text
    # The Makefile reads pyproject.toml of its folder, which `make` above would overwrite.
    project.write_text(text.replace(";PSF-2.0", ""))
    command = ["make", "--no-print-directory", "licenses", "-o", ".venv/.dev", f"BIN={Path(sys.executable).parent}"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert refused.returncode != 0
    assert "license PSF-2.0 not in allow-only" in refused.stderr + refused.stdout


def test_pillow_heif_bundles_the_documented_libraries() -> None:
    (bundled,) = (file for file in files("pillow-heif") or [] if file.name == "LICENSES_bundled.txt")
    text = bundled.read_text()
    for library, terms in {"libheif": "LGPLv3", "libde265": "LGPLv3", "x265": "GPLv2"}.items():
        assert f"Name: {library}\nLicense: {terms}\n" in text


def test_sbom_lists_every_locked_package_with_hashes(tmp_path: Path) -> None:
    done = make("sbom", tmp_path)
    assert done.returncode == 0, done.stderr
    deployables = {
        "layer": ["layer"],
        "painter-lambda": ["painter", "torch-cpu"],
        "painter-sagemaker": ["painter", "torch-cuda"],
    }
    for deployable, names in deployables.items():
        pins = {name: pin for lock in names for name, pin in read_lock(lock).items()}
        bill = json.loads((tmp_path / f"build/sbom/{deployable}.cdx.json").read_text())
        assert {each["name"]: each["version"] for each in bill["components"]} == {
            name: version for name, (version, _) in pins.items()
        }
        for component in bill["components"]:
            references = component.get("externalReferences", ())
            hashes = {mark["content"] for reference in references for mark in reference.get("hashes", ())}
            assert {f"--hash=sha256:{each}" for each in hashes} == pins[component["name"]][1]


def test_audit_that_cannot_ask_fails(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    done = make("audit", tmp_path, "AUDIT_FLAGS=--osv-url http://127.0.0.1:9/v1/query")
    assert done.returncode != 0
    assert "No known vulnerabilities" not in done.stdout + done.stderr
    for name in ("layer", "painter", "torch-cuda", "vgg19"):
        assert f"--requirement locks/{name}.txt" in done.stdout
