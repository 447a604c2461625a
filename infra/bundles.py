"""The zips of the functions and of their layer, made without Docker.

    python -m infra.bundles layer-arm64

makes one and says where it is. `cdk deploy` does that by itself, for what is not in the account yet; a synth makes
none, and so needs neither pip nor a network. Each zip has a key, which is that of what it is made from: the same key,
the same zip. They are kept in build/bundles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.requirements import Requirement

from infra import wheels
from infra.wheels import MACHINES, PYTHON, BundleError, check_complete, install_wheels, strip

ROOT = Path(__file__).parents[1]
MIB = 2**20
# Lambda takes 250 MiB, unzipped, of a function and its layers together. (Its 50 MB for a zip are those of a request
# that carries one; these come from S3, where only the 250 count.)
LAYER_BYTES = 235 * MIB
FUNCTION_BYTES = 15 * MIB

# What the service imports of the core: no torch and no NumPy. A test compares it with what an import of the API loads.
CORE_MODULES = (
    "__init__.py",
    "capabilities.py",
    "compute.py",
    "cores.py",
    "errors.py",
    "images/__init__.py",
    "images/complexity.py",
    "images/limits.py",
    "images/signatures.py",
    "options.py",
    "progress.py",
    "styles/__init__.py",
)

Install = Callable[[Path, Path, str], None]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a zip is made from.

    Attributes:
        name: Of the zip.
        place: Where Lambda unpacks it.
        limit: Most bytes of it, unpacked.
        files: Files of the project by their paths in the zip.
        compiler: A Python of Lambda's version, which makes the bytecode; None leaves that to each cold start.
        requirements: What else goes into the zip's folder `python`.
        lock: The file that pins them and all that they need, with the hashes of the wheels.
        architecture: "arm64" or "x86_64", where it matters.
    """

    name: str
    place: str
    limit: int
    files: Mapping[str, Path]
    compiler: str | None
    requirements: Sequence[str] = ()
    lock: Path = ROOT / "locks/layer.txt"
    architecture: str | None = None

    def key(self) -> str:
        """Changes exactly when something changes that the zip is made from, this code included."""
        code = [Path(__file__), Path(wheels.__file__)]
        inputs = {
            "code": [_digest(path) for path in code],
            "files": {name: _digest(path) for name, path in self.files.items()},
            "python": PYTHON,
            "bytecode": self.compiler is not None,
            "requirements": sorted(self.requirements),
            "lock": _digest(self.lock) if self.requirements else None,
            "architecture": self.architecture,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def layer(architecture: str, *, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """The layer of both functions: the service with `CORE_MODULES`, and the extra `layer` of the project.

    Args:
        architecture: "arm64" or "x86_64".
        root: Of the project.
        compiler: See `Bundle`.
    """
    if architecture not in MACHINES:
        raise BundleError(f"architecture is {architecture!r}; allowed: {', '.join(MACHINES)}")
    service = root / "layers/service/python/stylizer_service"
    return Bundle(
        name=f"layer-{architecture}",
        place="/opt",
        limit=LAYER_BYTES,
        files={
            **dict(_tree(service, "python/stylizer_service")),
            **{f"python/stylizer/{name}": root / "core/stylizer" / name for name in CORE_MODULES},
        },
        compiler=compiler,
        requirements=read_extra(root, "layer"),
        lock=root / "locks/layer.txt",
        architecture=architecture,
    )


def api(*, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """The API with its page, and the built-in styles as far as it shows them, in the folder `styles`."""
    shown = {"style.toml", "swatch.webp", "order.toml"}
    styles = {name: path for name, path in _tree(root / "core/stylizer/styles", "styles") if path.name in shown}
    return _function("api", root, compiler, styles)


def settle(*, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """What settles jobs."""
    return _function("reconciler", root, compiler, {})


def _function(name: str, root: Path, compiler: str | None, more: Mapping[str, Path]) -> Bundle:
    package = f"stylizer_{name}"
    code = dict(_tree(root / "functions" / name / package, package))
    return Bundle(name=name, place="/var/task", limit=FUNCTION_BYTES, files={**code, **more}, compiler=compiler)


def read_extra(root: Path, extra: str) -> list[str]:
    """The requirements of an extra of the project, with those of the extras that it names, sorted.

    Raises:
        BundleError: The project has no such extra.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    if extra not in extras:
        raise BundleError(f"pyproject.toml has no extra {extra!r}; it has {', '.join(extras)}")
    found: set[str] = set()
    for text in extras[extra]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            found.update(*(read_extra(root, inner) for inner in requirement.extras))
        else:
            found.add(text)
    return sorted(found)


@cache
def find_compiler() -> str | None:
    """A Python of Lambda's version on this machine: this one, or a `python3.13` that can be started."""
    program = sys.executable if _is_lambdas(sys.executable) else shutil.which(f"python{PYTHON}")
    return program if program and _is_lambdas(program) else None


def _is_lambdas(program: str) -> bool:
    command = [program, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip() == PYTHON


def make(bundle: Bundle, *, folder: Path = ROOT / "build/bundles", install: Install = install_wheels) -> Path:
    """Make a zip, unless it is there.

    Args:
        bundle: What to make it from.
        folder: Where the zips are kept.
        install: Fetches what is required.

    Returns:
        The zip.

    Raises:
        BundleError: pip failed, something is missing, or it is too large for Lambda.
    """
    target = folder / f"{bundle.name}-{bundle.key()}.zip"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        content, packed = Path(scratch, "content"), Path(scratch, "zip")
        content.mkdir()
        _fill(bundle, content, install)
        files = sorted(path for path in content.rglob("*") if path.is_file())
        _check_size(bundle, files)
        _zip(packed, {path.relative_to(content).as_posix(): path for path in files})
        packed.replace(target)  # at once: whoever finds it finds it whole
    return target


def _fill(bundle: Bundle, folder: Path, install: Install) -> None:
    if bundle.requirements and bundle.architecture:
        packages = folder / "python"
        install(packages, bundle.lock, bundle.architecture)
        check_complete(packages, bundle.requirements, bundle.architecture)
        strip(packages)
    for name, path in bundle.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    if bundle.compiler:
        _compile(bundle.compiler, folder, bundle.place)


def _compile(compiler: str, folder: Path, place: str) -> None:
    """Make the bytecode, which halves a cold start: Lambda could not keep what it compiles.

    It is not checked against the source when it is loaded, and depends on no time, place or order of hashes.
    """
    command = [compiler, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, "-s", str(folder), "-p", place, str(folder)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise BundleError(f"{compiler} cannot compile this:\n{done.stdout.strip()}\n{done.stderr.strip()}")


def _check_size(bundle: Bundle, files: Sequence[Path]) -> None:
    size = sum(path.stat().st_size for path in files)
    if size > bundle.limit:
        raise BundleError(
            f"{bundle.name} has {size / MIB:.1f} MiB unpacked; allowed are {bundle.limit / MIB:.1f}, so that a "
            "function and its layer fit into Lambda's 250"
        )


def _zip(target: Path, files: Mapping[str, Path]) -> None:
    """Pack files in their order, as if written in 1980, readable by everyone: the same files, the same bytes."""
    with ZipFile(target, "w") as archive:
        for name, path in files.items():
            entry = ZipInfo(name)
            entry.create_system = 3  # as on Unix, where modes have a meaning
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


def _tree(folder: Path, place: str) -> Iterator[tuple[str, Path]]:
    """The files of a folder, with where they go; not those that Python or an editor left there."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield "/".join((place, *parts)), path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


BUNDLES: dict[str, Callable[..., Bundle]] = {
    "api": api,
    "reconciler": settle,
    **{f"layer-{name}": partial(layer, name) for name in MACHINES},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one zip and print its path."""
    parser = argparse.ArgumentParser(prog="python -m infra.bundles", description=main.__doc__)
    parser.add_argument("name", choices=BUNDLES)
    parser.add_argument("--key", help="make it only if this is its key, as it was in a synth")
    options = parser.parse_args(arguments)
    bundle = BUNDLES[options.name](compiler=find_compiler())
    try:
        if options.key not in (None, bundle.key()):
            raise BundleError(f"what {bundle.name} is made from has changed since the synth: synthesize again")
        sys.stdout.write(f"{make(bundle)}\n")
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
