"""Find or install the browser for the web page's tests.

    python -m tools.chromium

prints its path. Searched in this order: CHROMIUM from the environment; the system's Chromium or Chrome; Playwright's
own download. If there is none: the system package `chromium`, as root on a system with apt; otherwise Playwright's
download. If neither works a line says so, and the browser tests are skipped; with CI=true that is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = f"install the system's package `chromium`, or name one with {VARIABLE}=/path/to/it"
_START_SECONDS, _INSTALL_SECONDS = 60, 900


def is_required() -> bool:
    """Return whether the browser tests must run: on CI."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def find() -> str | None:
    """Return the path of a Chromium or Chrome that starts; None if there is none."""
    return next((path for path in _candidates() if _starts(path)), None)


def _candidates() -> Iterable[str]:
    named = os.environ.get(VARIABLE)
    if named:
        yield named
        return
    yield from filter(None, map(shutil.which, NAMES))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    if Path(downloaded).exists():
        yield downloaded


def _starts(path: str) -> bool:
    """Return whether it runs here: Ubuntu's `chromium-browser` may be a script that asks for a snap."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=_START_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install() -> None:
    """Install a browser as far as this machine allows; `find` tells whether it worked."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "install", "--yes", "--no-install-recommends", "-qq", "chromium"]
        # Package lists are old or missing on a fresh machine: without the update the package is not found.
        for command in (["apt-get", "update", "-qq"], apt):
            _try(command, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        if find():
            return
    _try([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))


def _try(command: list[str], environment: dict[str, str]) -> None:
    sys.stderr.write(f"no Chromium yet: {' '.join(command)}\n")
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"{error}\n")
        return
    if done.returncode:
        sys.stderr.write("".join(f"  {line}\n" for line in done.stdout.splitlines()[-5:]))


def main() -> int:
    """Print the browser's path, installing it if necessary; return 1 if it is required and unavailable."""
    path = find()
    if path is None and not os.environ.get(VARIABLE):
        install()
        path = find()
    if path is not None:
        sys.stdout.write(f"{path}\n")
        return 0
    reason = f"{VARIABLE}={os.environ[VARIABLE]} does not start" if os.environ.get(VARIABLE) else "no Chromium found"
    if is_required():
        sys.stderr.write(f"{reason}, and CI=true: {ADVICE}\n")
        return 1
    sys.stderr.write(f"{reason}: the browser tests will be skipped; to run them, {ADVICE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
