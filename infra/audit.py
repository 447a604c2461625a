"""Whether anything that is deployed, or that is installed to work on this project, is known to be vulnerable.

    python -m infra.audit

asks OSV about every version in the locks and in constraints.txt. What could not be asked is never called clean.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.bundles import ROOT

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
_SECONDS = 600
_OSV = "https://api.osv.dev/v1/query"


def audited(root: Path = ROOT) -> list[Path]:
    """The files whose versions are asked about.

    torch's build for the CPU is not known by that name; it is the same version as its build for CUDA.
    """
    return [path for path in sorted((root / "locks").glob("*.txt")) if path.stem != "torch-cpu"] + [
        root / "constraints.txt"
    ]


def audit(files: Sequence[Path], osv_url: str) -> int:
    """Ask, and say what came of it.

    Args:
        files: Requirements, each of one version.
        osv_url: Where to ask.

    Returns:
        CLEAN, VULNERABLE or UNKNOWN.
    """
    command = [sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--no-deps", "--progress-spinner=off"]
    command += ["--vulnerability-service=osv", f"--osv-url={osv_url}", "--timeout=15", "--desc=off"]
    command += [f"--requirement={path}" for path in files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return _say(UNKNOWN, f"not audited: {osv_url} did not answer all questions in {_SECONDS} seconds")
    if done.returncode == 0:
        return _say(CLEAN, f"{_count(files)} versions audited: none is known to be vulnerable")
    if done.stdout.strip():  # the table of what was found; a failure leaves none
        return _say(VULNERABLE, f"{done.stdout.strip()}\n{done.stderr.strip()}")
    reason = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
    return _say(
        UNKNOWN, f"not audited: {osv_url} could not be asked. This says nothing about vulnerabilities.\n{reason}"
    )


def _count(files: Sequence[Path]) -> int:
    lines = {line.split()[0] for path in files for line in path.read_text().splitlines() if "==" in line}
    return len({line.lower().replace("_", "-") for line in lines})


def _say(code: int, text: str) -> int:
    (sys.stdout if code == CLEAN else sys.stderr).write(f"{text}\n")
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit everything."""
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=main.__doc__)
    parser.add_argument("--osv-url", default=_OSV, help="(%(default)s)")
    return audit(audited(), parser.parse_args(arguments).osv_url)


if __name__ == "__main__":
    raise SystemExit(main())
