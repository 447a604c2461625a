from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import chromium


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, on a machine without Chromium where nothing can be downloaded."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def _program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_chromium_that_starts_is_found(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _program(programs / "chromium", "exit 1")  # Ubuntu's, without its snap
    chrome = _program(programs / "google-chrome", "echo 1.0")
    assert chromium.main() == 0
    assert capsys.readouterr().out == f"{chrome}\n"


def test_chromium_is_installed_by_apt_as_root(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _program(
        programs / "apt-get",
        f"""echo "$@" >> {programs}/calls
case "$*" in *chromium*) printf '#!/bin/sh\\n' > {programs}/chromium; /bin/chmod 755 {programs}/chromium;; esac""",
    )
    assert chromium.main() == 0
    assert capsys.readouterr().out == f"{programs}/chromium\n"
    assert [call.split()[0] for call in (programs / "calls").read_text().splitlines()] == ["update", "install"]


def test_apt_is_left_alone_by_another_user(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(programs / "apt-get", f"/bin/touch {programs}/called")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(chromium, "find", lambda: None)
    assert chromium.main() == 0
    assert not (programs / "called").exists()


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(("ci", "status", "words"), [("", 0, "will be skipped"), ("true", 1, "CI=true")])
def test_missing_chromium_is_an_error_on_ci_alone(
    ci: str,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CI", ci)
    assert chromium.main() == status
    assert words in capsys.readouterr().err


def test_named_chromium_that_fails_is_not_replaced(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _program(programs / "chromium", "exit 0")
    monkeypatch.setenv("CHROMIUM", str(programs / "none"))
    assert chromium.main() == 0
    assert f"CHROMIUM={programs}/none does not start" in capsys.readouterr().err
