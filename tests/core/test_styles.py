from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from stylizer import styles
from stylizer.errors import UnknownStyle
from stylizer.images import decode

CATALOG = styles.catalog()


def test_catalog_order_ranks_each_built_in_style_once() -> None:
    folder = Path(styles.__file__).parent
    ranked = tomllib.loads((folder / styles.ORDER_FILE).read_text())["order"]
    assert list(CATALOG) == ranked
    assert sorted(ranked) == sorted(path.parent.name for path in folder.glob("*/style.toml"))


def _made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir()
        facts = ("title", "artist", "year", "license", "description")
        (folder / name / "style.toml").write_text("".join(f'{fact} = "x"\n' for fact in facts))
        (folder / name / "swatch.webp").write_bytes(b"")
    return folder


def test_order_file_ranks_styles_and_others_follow_by_id(tmp_path: Path) -> None:
    folder = _made(tmp_path, "ink", "oil", "chalk", "wax")
    (folder / styles.ORDER_FILE).write_text('order = ["wax", "gone", "ink"]')
    assert list(styles.load(folder)) == ["wax", "ink", "chalk", "oil"]


def test_without_order_file_styles_are_sorted_by_id(tmp_path: Path) -> None:
    assert list(styles.load(_made(tmp_path, "oil", "ink"))) == ["ink", "oil"]


@pytest.mark.parametrize("text", ["order = ", "ranks = []", "order = 3"])
def test_broken_order_file_is_reported_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / styles.ORDER_FILE).write_text(text)
    with pytest.raises(ValueError, match=r"order\.toml must have a list of ids called order"):
        styles.load(tmp_path)


def test_16_styles_follow_public_domain_works() -> None:
    after_works = [style for style in CATALOG.values() if style.license.startswith("Public domain")]
    assert len(after_works) >= 16
    assert all("the swatch is synthesized by this project" in style.license for style in after_works)
    assert len({style.title for style in CATALOG.values()}) == len(CATALOG)


@pytest.mark.parametrize("style", CATALOG.values(), ids=CATALOG.keys())
def test_every_style_is_complete_and_light_enough_to_ship(style: styles.Style) -> None:
    assert styles.is_id(style.id)
    for fact in (style.title, style.artist, style.year, style.license, style.description):
        assert fact.strip()
    assert style.swatch.stat().st_size < 200_000
    swatch = decode(style.swatch, field="style")
    assert 512 <= max(swatch.rgb.shape[:2]) <= 1024
    assert swatch.alpha is None
    assert swatch.rgb.std() > 10, "a blank swatch paints nothing"


def test_style_is_found_by_id_and_unknown_id_lists_known() -> None:
    assert styles.get("woodcut") is CATALOG["woodcut"]
    with pytest.raises(UnknownStyle, match=r"style is 'wodcut'; there are .*woodcut.*, or give a picture") as caught:
        styles.get("wodcut")
    assert caught.value.field == "style"
    assert caught.value.allowed == list(CATALOG)


def test_a_callers_change_to_the_catalog_stays_the_callers() -> None:
    styles.catalog().clear()
    assert styles.catalog() == CATALOG


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("title = ", "style.toml is not TOML"),
        ('title = "A"\nartist = "B"', "style.toml lacks year, license, description"),
        (
            'title = "A"\nartist = "B"\nyear = 1\nlicense = "C"\ndescription = "D"\ncolour = "E"',
            "style.toml has unknown colour; known are title, artist, year, license, description",
        ),
        ('title = "A"\nartist = "B"\nyear = 1\nlicense = "C"\ndescription = "D"', "swatch.webp is missing"),
    ],
)
def test_a_broken_style_folder_is_reported_by_file(tmp_path: Path, toml: str, words: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "style.toml").write_text(toml)
    with pytest.raises(ValueError, match=words) as caught:
        styles.load(tmp_path)
    assert "mine" in str(caught.value)
