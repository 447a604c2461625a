"""Install packages into this Python's virtual environment with uv.

    python tools/install.py --editable '.[local]' --group dev

accepts the arguments of `uv pip install`, and applies constraints.txt. uv itself is installed by pip. It does not read
pip's settings, so they are passed on to it: a machine whose pip uses a mirror or a folder of wheels needs no second
setup. uv chooses the torch build for the machine (UV_TORCH_BACKEND=auto, see `torch_backends`).
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
# By pip setting, the equivalent uv variable; multiple values are joined as uv expects.
_SAME = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
_TRUE = ("1", "true", "yes", "on")


def pip_settings(listing: str) -> dict[str, list[str]]:
    """Parse the output of `pip config list`: the values by setting, as they apply to `pip install`.

    The environment overrides files, and the section [install] overrides [global].
    """
    ranked: dict[str, tuple[int, list[str]]] = {}
    for line in listing.splitlines():
        key, equals, literal = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if not equals or rank is None:
            continue
        try:
            values = str(ast.literal_eval(literal)).split()
        except (SyntaxError, ValueError):  # a warning, or another version's output format
            continue
        if rank >= ranked.get(name, (0, []))[0]:
            ranked[name] = rank, values
    return {name: values for name, (_, values) in ranked.items()}


def uv_environment(settings: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with pip's settings as uv variables, except for those already set."""
    passed: dict[str, str] = {}
    for name, values in settings.items():
        variable, separator = _SAME.get(name, ("", ""))
        if variable and values:
            passed[variable] = separator.join(values)
    if settings.get("no-index", [""])[0].lower() in _TRUE:
        passed["UV_NO_INDEX"] = "1"
    if "UV_INDEX" in passed:
        # pip takes the best version across all indexes, and the indexes were chosen for pip.
        passed["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return passed | dict(environment)


def torch_backends(settings: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> list[str | None]:
    """Return the values of UV_TORCH_BACKEND to try in turn; None is torch from the user's own indexes.

    "auto" takes the torch build for this machine's GPU, or the CPU build if there is none; for Linux, PyPI has only the
    GPU build, of several GB. If the user has torch wheels in a folder, or "auto" cannot reach torch's indexes, the
    user's own indexes are used.
    """
    if "UV_TORCH_BACKEND" in environment:
        return [environment["UV_TORCH_BACKEND"] or None]
    folders = [Path(value.removeprefix("file://")) for value in settings.get("find-links", [])]
    tag = f"-cp{sys.version_info.major}{sys.version_info.minor}-"
    if any(tag in wheel.name for folder in folders if folder.is_dir() for wheel in folder.glob("torch-*.whl")):
        return [None]
    return ["auto", None]


Run = Callable[[Sequence[str], Mapping[str, str]], int]


def install(arguments: Sequence[str], settings: Mapping[str, Sequence[str]], run: Run) -> int:
    """Install with uv; return its exit status.

    Args:
        arguments: Arguments of `uv pip install`.
        settings: From `pip_settings`.
        run: Runs a command in an environment, and returns its exit status.
    """
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
    for file in (str(CONSTRAINTS), *settings.get("constraint", [])):
        command += ["--constraint", file]
    status = 1
    for attempt, backend in enumerate(torch_backends(settings, os.environ)):
        if attempt:
            sys.stderr.write("torch's own indexes did not serve: trying with the package indexes alone\n")
        environment = uv_environment(settings, os.environ)
        environment.pop("UV_TORCH_BACKEND", None)
        if backend is not None:
            environment["UV_TORCH_BACKEND"] = backend
        status = run([*command, *arguments], environment)
        if status == 0:
            break
    return status


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Install uv if missing, then the rest with it; return the exit status."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    (pin,) = [line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("uv==")]
    if not Path(sys.executable).with_name("uv").exists():
        status = _run([*pip, "install", "--quiet", pin], os.environ)
        if status:
            return status
    listing = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
    return install(arguments, pip_settings(listing), _run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
