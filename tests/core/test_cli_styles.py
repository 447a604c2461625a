"""Parsing of --style: style, weight and mask."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylizer import OptionError
from stylizer_cli.jobs import StyleChoice, parse_style


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("woodcut", StyleChoice("woodcut")),
        ("woodcut=0.7", StyleChoice("woodcut", 0.7)),
        ("woodcut@sky.png", StyleChoice("woodcut", 1.0, "sky.png")),
        ("woodcut=0.7@sky.png", StyleChoice("woodcut", 0.7, "sky.png")),
        ("woodcut@a=1.png", StyleChoice("woodcut", 1.0, "a=1.png")),
        ("woodcut@", StyleChoice("woodcut@")),
        ("@sky.png", StyleChoice("@sky.png")),
        ("https://me@example.com/a.jpg", StyleChoice("https://me@example.com/a.jpg")),
    ],
)
def test_style_is_split_into_name_weight_and_mask(text: str, choice: StyleChoice) -> None:
    assert parse_style(text) == choice


@pytest.mark.parametrize("name", ["a@b.png", "a=2", "a=2@b.png"])
def test_the_name_of_a_file_is_a_style_as_a_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    assert parse_style(name) == StyleChoice(name)


def test_a_url_may_have_a_mask_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sky.png").touch()
    assert parse_style("https://x.org/a.jpg=2@sky.png") == StyleChoice("https://x.org/a.jpg", 2.0, "sky.png")


def test_a_weight_of_0_is_refused_before_the_mask() -> None:
    with pytest.raises(OptionError, match="weight is 0"):
        parse_style("woodcut=0@sky.png")
