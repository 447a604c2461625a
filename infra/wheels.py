"""Wheels for the machines of Lambda, whatever machine they are fetched on: pip, told what to fetch them for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHON = "3.13"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
_GLIBC_MINORS = range(34, 16, -1)  # Lambda's Amazon Linux 2023 has glibc 2.34; wheels that ask for less run there too
_SECONDS = 600
_SAID = 2000  # characters of pip's output that end an error


class BundleError(Exception):
    """Something cannot be bundled; says what, and why."""


def pip_command(folder: Path, lock: Path, architecture: str) -> list[str]:
    """How pip is asked for wheels, and for nothing that would have to be built on this machine.

    It takes what the lock has and no more: it would decide by the Python and the machine it runs on, not by those it
    fetches for, what a requirement such as `x; python_version >= "3.13"` asks for.
    """
    machine = MACHINES[architecture]
    tags = [*(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC_MINORS), f"manylinux2014_{machine}"]
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    target = ["--implementation=cp", f"--python-version={PYTHON}", *(f"--platform={tag}" for tag in tags)]
    what = ["--require-hashes", "--no-deps", "--only-binary=:all:", f"--requirement={lock}"]
    return [*pip, *target, *what, f"--target={folder}", "--no-compile"]


def install_wheels(folder: Path, lock: Path, architecture: str) -> None:
    """Put what a lock has into a folder.

    Args:
        folder: Where to put it.
        lock: Requirements with a version and hashes each, as pip takes them.
        architecture: "arm64" or "x86_64".

    Raises:
        BundleError: pip failed, found other files than those that were locked, or was not done in ten minutes.
    """
    target = f"CPython {PYTHON} on Linux {MACHINES[architecture]}"
    command = pip_command(folder, lock, architecture)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"pip was not done with the wheels for {target} in {_SECONDS} seconds") from error
    if done.returncode:
        said = f"{done.stdout[-_SAID:]}\n{done.stderr[-_SAID:]}".strip()
        raise BundleError(f"pip could not get the wheels of {lock.name} for {target}. It says:\n{said}")


def check_complete(folder: Path, requirements: Sequence[str], architecture: str) -> None:
    """See that everything is there that will be asked for, in a version that will do.

    Raises:
        BundleError: Names what is missing, or too old or too new: the lock is not that of these requirements.
    """
    found = {canonicalize_name(each.name): each for each in distributions(path=[str(folder)])}
    wanted = [(Requirement(text), "the project") for text in requirements]
    done: set[str] = set()
    while wanted:
        requirement, asker = wanted.pop()
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        distribution = found.get(canonicalize_name(requirement.name))
        if distribution is None or not requirement.specifier.contains(distribution.version, prereleases=True):
            has = distribution.version if distribution else "none of it"
            raise BundleError(f"{asker} needs {requirement} on Lambda, and the lock has {has}: run `make lock`")
        inner = [Requirement(text) for text in distribution.requires or []]
        wanted += [(each, distribution.name) for each in inner if applies(each, requirement.extras, architecture)]


def applies(requirement: Requirement, extras: set[str], architecture: str) -> bool:
    """Whether what a distribution requires is needed on Lambda, if it was asked for with these extras."""
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
    }
    marker = requirement.marker
    return marker is None or any(marker.evaluate(environment | {"extra": extra}) for extra in ("", *extras))


def strip(folder: Path) -> None:
    """Remove what only installers read, and what names the Python that installed: the same wheels, the same files."""
    unread = re.compile(r"bin/.*|[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)")
    for path in folder.rglob("*"):
        if path.is_file() and unread.fullmatch(path.relative_to(folder).as_posix()):
            path.unlink()
