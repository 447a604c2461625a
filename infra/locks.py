"""The locks of what is deployed: every distribution in one version, with the hashes of its files.

    python -m infra.locks

writes them anew, by uv, from pyproject.toml and constraints.txt. pip then takes nothing but these files, wherever it
finds them: a lock names no index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.bundles import ROOT, read_extra
from infra.wheels import MACHINES, PYTHON

HEADER = "# Written by `make lock`. docs/security.md says what locks are for.\n"
UNHASHED = """\
# Only the index of torch's CPU builds has this file, and this project names no index: its hash is not known here.
# `make lock TORCH_CPU_INDEX=https://...` adds it, and pip then takes no other file.
"""
# What torch's build for CUDA brings, and its build for the CPU does without.
_CUDA = re.compile(r"torch|triton|(cuda|nvidia)-.*")
_SECONDS = 300


class LockError(Exception):
    """A lock cannot be written; says why."""


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock.

    Attributes:
        version: The only one that is taken.
        hashes: Of the files that are taken, as "sha256:...".
    """

    version: str
    hashes: frozenset[str]

    def __str__(self) -> str:
        """As it stands in a lock, behind the name."""
        return " \\\n    ".join([f"=={self.version}", *(f"--hash={each}" for each in sorted(self.hashes))])


Pins = dict[str, Pin]


def parse(text: str) -> Pins:
    """What a lock pins, by the canonical names.

    Raises:
        LockError: There is a line that is neither a comment nor pins one version.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pins: Pins = {}
    for entry in filter(None, "\n".join(lines).replace(" \\\n", " ").splitlines()):
        pinned, *hashes = entry.split()
        name, equal, version = pinned.partition("==")
        if not (equal and all(each.startswith("--hash=sha256:") for each in hashes)):
            raise LockError(f"{entry!r} does not pin one version with its hashes")
        pins[canonicalize_name(name)] = Pin(version, frozenset(each.removeprefix("--hash=") for each in hashes))
    return pins


def read(name: str, *, root: Path = ROOT) -> Pins:
    """What the lock of this name pins."""
    return parse((root / "locks" / f"{name}.txt").read_text())


def torch_version(root: Path = ROOT) -> str:
    """The version that pyproject.toml pins."""
    (found,) = [each for each in core_requirements(root) if Requirement(each).name == "torch"]
    return found.partition("==")[2]


def core_requirements(root: Path = ROOT) -> list[str]:
    """What the core needs."""
    return list(tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"])


def write_all(root: Path, *, torch_cpu_index: str | None) -> None:
    """Write every lock into the folder `locks`.

    Args:
        root: Of the project.
        torch_cpu_index: Where torch's CPU builds are. Without it the lock of that one file keeps the hashes it has, as
            long as the version is the same, or has none.

    Raises:
        LockError: uv failed, or the two machines of Lambda need different things.
    """
    painter = _compile(root, [*core_requirements(root), *read_extra(root, "painter")])
    locks = {
        "layer": _compile(root, read_extra(root, "layer")),
        "painter": {name: pin for name, pin in painter.items() if not _CUDA.fullmatch(name)},
        "torch-cuda": {name: pin for name, pin in painter.items() if _CUDA.fullmatch(name)},
        "vgg19": _compile(root, read_extra(root, "vgg19"), "--no-deps"),
    }
    folder = root / "locks"
    folder.mkdir(exist_ok=True)
    for name, pins in locks.items():
        _write(folder / f"{name}.txt", pins)
    write_torch_cpu(root, torch_cpu_index)


def write_torch_cpu(root: Path, index: str | None) -> None:
    """Write the lock of torch's build for the CPU. See `write_all`."""
    path, version = root / "locks/torch-cpu.txt", f"{torch_version(root)}+cpu"
    if index:
        from_there = ("--no-deps", "--index", index, "--index-strategy", "unsafe-best-match")
        _write(path, _compile(root, [f"torch=={version}"], *from_there))
    elif not path.exists() or parse(path.read_text())["torch"].version != version:
        path.write_text(f"{HEADER}{UNHASHED}torch=={version}\n")


def _write(path: Path, pins: Mapping[str, Pin]) -> None:
    path.write_text(HEADER + "".join(f"{name}{pin}\n" for name, pin in sorted(pins.items())))


def _compile(root: Path, requirements: Sequence[str], *options: str) -> Pins:
    """What these requirements come to, on both machines of Lambda alike."""
    found = {machine: _resolve(root, requirements, machine, options) for machine in MACHINES.values()}
    here, there = found.values()
    if differing := {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}:
        raise LockError(f"{' and '.join(found)} differ in {', '.join(sorted(differing))}: they need locks of their own")
    return here


def _resolve(root: Path, requirements: Sequence[str], machine: str, options: Sequence[str]) -> Pins:
    command = ["uv", "pip", "compile", "-", "--quiet", f"--constraints={root / 'constraints.txt'}", "--generate-hashes"]
    command += [f"--python-version={PYTHON}", f"--python-platform={machine}-manylinux_2_34", "--only-binary=:all:"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", *options]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # uv is installed beside this Python
    done = subprocess.run(
        command,
        env=os.environ | {"PATH": path},
        input="\n".join(requirements),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise LockError(f"uv cannot lock {', '.join(requirements)} for {machine}:\n{done.stderr.strip()}")
    pins = parse(done.stdout)
    if unhashed := [f"{name} {pin.version}" for name, pin in pins.items() if not pin.hashes]:
        raise LockError(f"the index gives no hash of {', '.join(unhashed)}")
    return pins


def main() -> int:
    """Write every lock, or say why not."""
    try:
        write_all(ROOT, torch_cpu_index=os.environ.get("TORCH_CPU_INDEX"))
    except LockError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
