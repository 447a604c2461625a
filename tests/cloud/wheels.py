"""Locks, and tiny wheels that let tests run pip and uv without a network."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from zipfile import ZipFile

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def read_lock(name: str) -> dict[str, tuple[str, set[str]]]:
    """Return version and hashes by canonical name from locks/<name>.txt; fail at a line that pins no version."""
    text = (ROOT / f"locks/{name}.txt").read_text().replace(" \\\n", " ")
    pins: dict[str, tuple[str, set[str]]] = {}
    for line in filter(lambda line: not line.startswith("#"), text.splitlines()):
        match = re.fullmatch(r"([\w.-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})*)", line)
        assert match, f"{line!r} does not pin one version"
        pins[str(canonicalize_name(match[1]))] = match[2], set(match[3].split())
    return pins


def write_wheel(folder: Path, name: str, version: str, platform: str, *, requires: str | None = None) -> str:
    """A wheel of one module, which says its version and what it was built for; gives its hash as a lock has it."""
    tags = "py3-none-any" if platform == "any" else f"cp313-cp313-manylinux_2_28_{platform}"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"BUILT = '{version} for {platform}'\n",
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\nTag: {tags}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:run\n",
        f"{info}/licenses/LICENSE": "Do what you like.\n",
    }
    with ZipFile(folder / f"{name}-{version}-{tags}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))
    return f"--hash=sha256:{hashlib.sha256(Path(str(wheel.filename)).read_bytes()).hexdigest()}"
