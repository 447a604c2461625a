"""Build the zips of the functions and of their layer, without Docker.

    python -m infra.bundles layer-arm64

builds one into build/bundles and prints its path. `cdk deploy` does the same for each zip that the account lacks; a
synth builds none and needs no network. A zip is named by the hash of its inputs, and equal inputs give equal bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tools.install import pip_settings, uv_environment

ROOT = Path(__file__).parents[1]
PYTHON = "3.13"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
GLIBC = "2_34"  # of Amazon Linux 2023
MIB = 2**20
# Lambda allows 250 MiB unzipped for a function and its layers together. Its 50 MB limit on zips applies to uploads in
# a request; these zips come from S3.
LAYER_BYTES = 235 * MIB
FUNCTION_BYTES = 15 * MIB
_INSTALL_SECONDS = 600

# What the service imports of the core: no torch and no NumPy. A test compares it with what an import of the API loads.
CORE_MODULES = (
    "__init__.py",
    "capabilities.py",
    "clips/__init__.py",
    "clips/animations.py",
    "clips/info.py",
    "clips/limits.py",
    "clips/progress.py",
    "clips/segments.py",
    "compute.py",
    "cores.py",
    "errors.py",
    "images/__init__.py",
    "images/boxes.py",
    "images/complexity.py",
    "images/jpeg.py",
    "images/jpeg_reduction.py",
    "images/jpeg_segments.py",
    "images/limits.py",
    "images/png_chunks.py",
    "images/signatures.py",
    "images/size_readers.py",
    "images/tiff.py",
    "images/webp.py",
    "options.py",
    "progress.py",
    "styles/__init__.py",
    "variations.py",
)

Install = Callable[[Path, Path, str], None]


class BundleError(Exception):
    """A zip cannot be built; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Inputs of a zip.

    Attributes:
        name: Name of the zip.
        prefix: Directory in which Lambda unpacks it.
        limit: Maximum size unpacked, bytes.
        files: Project files by their paths in the zip.
        compiler: Python of Lambda's version that compiles the bytecode; None leaves compiling to each cold start.
        lock: Hash-pinned requirements to install into `python`; None for a function.
        architecture: "arm64" or "x86_64"; None where it does not matter.
    """

    name: str
    prefix: str
    limit: int
    files: Mapping[str, Path]
    compiler: str | None
    lock: Path | None = None
    architecture: str | None = None

    def key(self) -> str:
        """Return the SHA-256 of all inputs, this module included."""
        inputs = {
            "code": _digest(Path(__file__)),
            "files": {name: _digest(path) for name, path in self.files.items()},
            "python": PYTHON,
            "bytecode": self.compiler is not None,
            "lock": _digest(self.lock) if self.lock else None,
            "architecture": self.architecture,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def layer(architecture: str, *, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """Return the layer of both functions: the service with `CORE_MODULES`, and the packages of locks/layer.txt.

    Raises:
        BundleError: Lambda has no such architecture.
    """
    if architecture not in MACHINES:
        raise BundleError(f"architecture is {architecture!r}; allowed: {', '.join(MACHINES)}")
    return Bundle(
        name=f"layer-{architecture}",
        prefix="/opt",
        limit=LAYER_BYTES,
        files={
            **dict(_tree(root / "layers/service/python/stylizer_service", "python/stylizer_service")),
            **{f"python/stylizer/{name}": root / "core/stylizer" / name for name in CORE_MODULES},
        },
        compiler=compiler,
        lock=root / "locks/layer.txt",
        architecture=architecture,
    )


def api(*, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """Return the API with its page and, in `styles`, the metadata and swatches of the built-in styles."""
    served = {"style.toml", "swatch.webp", "order.toml"}
    styles = {name: path for name, path in _tree(root / "core/stylizer/styles", "styles") if path.name in served}
    return _function("api", root, compiler, styles)


def reconciler(*, root: Path = ROOT, compiler: str | None = None) -> Bundle:
    """Return the function that reconciles jobs and delivers webhooks."""
    return _function("reconciler", root, compiler, {})


def _function(name: str, root: Path, compiler: str | None, more: Mapping[str, Path]) -> Bundle:
    package = f"stylizer_{name}"
    code = dict(_tree(root / "functions" / name / package, package))
    return Bundle(name=name, prefix="/var/task", limit=FUNCTION_BYTES, files={**code, **more}, compiler=compiler)


@cache
def find_compiler() -> str | None:
    """Return a Python of Lambda's version: the running one, or `python3.13` on the PATH if it starts."""
    program = sys.executable if _has_lambda_version(sys.executable) else shutil.which(f"python{PYTHON}")
    return program if program and _has_lambda_version(program) else None


def _has_lambda_version(program: str) -> bool:
    command = [program, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip() == PYTHON


def install_wheels(folder: Path, lock: Path, architecture: str) -> None:
    """Install the locked wheels for Lambda into a folder, on whatever machine this runs.

    With --require-hashes, uv also resolves the dependencies for the target and fails where the lock lacks one.

    Raises:
        BundleError: uv failed, found files other than the locked ones, or did not finish in ten minutes.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    settings = pip_settings(subprocess.run(pip, capture_output=True, text=True, check=True).stdout)
    platform = f"{MACHINES[architecture]}-manylinux_{GLIBC}"
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", sys.executable]
    command += [f"--python-platform={platform}", f"--python-version={PYTHON}", "--only-binary=:all:"]
    command += ["--require-hashes", f"--requirements={lock}", f"--target={folder}", "--link-mode=copy"]
    environment = uv_environment(settings, os.environ)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"uv did not install {lock.name} for {platform} in {_INSTALL_SECONDS} seconds") from error
    if done.returncode:
        raise BundleError(f"uv cannot install {lock.name} for Python {PYTHON} on {platform}:\n{done.stderr.strip()}")


def build(bundle: Bundle, *, folder: Path = ROOT / "build/bundles", install: Install = install_wheels) -> Path:
    """Build a zip unless it exists, and return its path.

    Raises:
        BundleError: Installing or compiling failed, or the zip is too large for Lambda.
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
        packed.replace(target)  # atomic: a zip that exists is complete
    return target


def _fill(bundle: Bundle, folder: Path, install: Install) -> None:
    if bundle.lock and bundle.architecture:
        install(folder / "python", bundle.lock, bundle.architecture)
        _strip(folder / "python")
    for name, path in bundle.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    if bundle.compiler:
        _compile(bundle.compiler, folder, bundle.prefix)


def _strip(folder: Path) -> None:
    """Remove what only installers read or what names the installing Python, so that the bytes are reproducible."""
    unread = re.compile(r"(bin/.*|\.lock|[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_.*))")
    for path in folder.rglob("*"):
        if path.is_file() and unread.fullmatch(path.relative_to(folder).as_posix()):
            path.unlink()


def _compile(compiler: str, folder: Path, prefix: str) -> None:
    """Compile the bytecode, which halves a cold start: Lambda could not keep what it compiles.

    Unchecked hashes and a fixed hash seed make it independent of times and paths of this machine.
    """
    command = [compiler, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, "-s", str(folder), "-p", prefix, str(folder)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise BundleError(f"{compiler} cannot compile the code:\n{done.stdout.strip()}\n{done.stderr.strip()}")


def _check_size(bundle: Bundle, files: Sequence[Path]) -> None:
    size = sum(path.stat().st_size for path in files)
    if size > bundle.limit:
        raise BundleError(
            f"{bundle.name} has {size / MIB:.1f} MiB unpacked; allowed: {bundle.limit / MIB:.1f}, so that a "
            "function and its layer fit into Lambda's 250"
        )


def _zip(target: Path, files: Mapping[str, Path]) -> None:
    """Write files in the given order with fixed time (1980) and mode (0644): equal files give equal bytes."""
    with ZipFile(target, "w") as archive:
        for name, path in files.items():
            entry = ZipInfo(name)
            entry.create_system = 3  # Unix, where modes have a meaning
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


def _tree(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder with their paths in the zip, without caches and hidden files."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield "/".join((prefix, *parts)), path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


BUNDLES: dict[str, Callable[..., Bundle]] = {
    "api": api,
    "reconciler": reconciler,
    **{f"layer-{name}": partial(layer, name) for name in MACHINES},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one zip and print its path."""
    parser = argparse.ArgumentParser(prog="python -m infra.bundles", description=main.__doc__)
    parser.add_argument("name", choices=BUNDLES)
    parser.add_argument("--key", help="fail unless the inputs hash to this key, as they did in the synth")
    options = parser.parse_args(arguments)
    bundle = BUNDLES[options.name](compiler=find_compiler())
    try:
        if options.key not in (None, bundle.key()):
            raise BundleError(f"the inputs of {bundle.name} have changed since the synth: synthesize again")
        sys.stdout.write(f"{build(bundle)}\n")
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
