"""Styles of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numerics import CAT
from PIL import Image

from stylizer import Options, styles, stylize
from stylizer.errors import OptionError, UnknownStyle, UnsupportedImage
from stylizer.style_folder import add, format_style_toml
from stylizer.styles import STATISTICS_SIDE


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of own styles, which is not there yet."""
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path / "styles"))
    return tmp_path / "styles"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "stripes.png"
    rows = np.indices((60, 90))[0] // 6 % 2 * 255
    Image.fromarray(np.stack((rows, 255 - rows, rows // 2), 2).astype(np.uint8)).save(path)
    return path


def test_a_style_that_was_added_is_painted_in_by_its_name(own: Path, picture: Path) -> None:
    style = add("my-stripes", picture, title='Stripes "à la mode"', year="2026")
    assert (style.title, style.year, style.artist) == ('Stripes "à la mode"', "2026", "unknown")
    assert style.swatch.read_bytes() == picture.read_bytes()
    assert styles.user_styles() == {"my-stripes": style}
    assert styles.get("my-stripes") == style
    assert "my-stripes" not in styles.catalog()
    assert [path.name for path in own.iterdir()] == ["my-stripes"]

    by_name, by_picture = (
        np.asarray(stylize(CAT, source, options=Options(size=STATISTICS_SIDE)).image, float)
        for source in ("my-stripes", picture)
    )
    assert np.abs(by_name - by_picture).mean() < 4


def test_taken_name_is_refused_unless_replacing(picture: Path) -> None:
    add("mine", picture, title="First")
    with pytest.raises(OptionError, match="name is 'mine', which is a style of yours already"):
        add("mine", picture, title="Second")
    assert styles.get("mine").title == "First"
    add("mine", picture, title="Second", replace=True)
    assert styles.get("mine").title == "Second"
    with pytest.raises(OptionError, match="name is 'woodcut', which is a built-in style"):
        add("woodcut", picture, replace=True)


@pytest.mark.parametrize("name", ["", "My", "a b", "../x", "-a", "a-", "a--b", "a_b", "é", "a" * 65, "a\n"])
def test_malformed_name_is_refused_with_the_allowed_form(own: Path, picture: Path, name: str) -> None:
    with pytest.raises(OptionError, match="1 to 64 lowercase letters and digits") as caught:
        add(name, picture)
    assert caught.value.field == "name"
    assert not own.exists()


def test_of_what_is_no_picture_nothing_is_left(own: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    with pytest.raises(UnsupportedImage) as caught:
        add("mine", text)
    assert caught.value.field == "style"
    assert not own.exists()


def test_picture_with_undecodable_file_name_makes_a_style(picture: Path) -> None:
    odd = picture.rename(picture.with_name(os.fsdecode(b"caf\xe9.png")))
    assert add("mine", odd).description == "Your own, from caf?.png."


def test_a_style_without_a_fact_is_refused_before_it_is_made(own: Path, picture: Path) -> None:
    with pytest.raises(OptionError, match="artist is empty; it must be words") as caught:
        add("mine", picture, artist="")
    assert caught.value.field == "artist"
    assert not own.exists()


def test_a_broken_folder_of_ones_own_harms_no_other_style(own: Path) -> None:
    (own / "broken").mkdir(parents=True)
    (own / "broken" / "style.toml").write_text('title = "A"')
    with pytest.raises(
        UnknownStyle, match=r"style is 'broken', whose folder cannot be used: .*style.toml lacks artist"
    ):
        styles.get("broken")
    assert styles.get("woodcut").id == "woodcut"


def test_own_styles_lie_with_the_users_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(styles.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert styles.user_folder() == tmp_path / "stylizer" / "styles"
    assert styles.user_styles() == {}
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert styles.user_folder() == tmp_path / ".local" / "share" / "stylizer" / "styles"


def test_facts_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    facts = {fact: f'"{fact}" \\ é\n\x1b\x7f😀' for fact in ("title", "artist", "year", "license", "description")}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "style.toml").write_text(format_style_toml(facts), encoding="utf-8")
    (tmp_path / "mine" / "swatch.webp").touch()
    (style,) = styles.load(tmp_path).values()
    assert {fact: getattr(style, fact) for fact in facts} == facts
