"""The programs of the training, as they are started by hand."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

import training

FOLDER = Path(training.__file__).parent
PROGRAMS = [file.stem for file in sorted(FOLDER.glob("*.py")) if 'if __name__ == "__main__"' in file.read_text()]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_how_it_is_started(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m training.{name} ")
