"""The built-in styles: one folder each, with a swatch to paint from and the facts about it.

Adding a style is adding a folder `<id>/` here with a `swatch.webp` and a `style.toml`:

    title = "Woodcut"
    artist = "painted by this project"
    year = "2026"
    license = "MIT"
    description = "Black lines cut along the light."
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from stylizer.errors import UnknownStyle

LOOK_FILE = "look.safetensors"
LOOK_SIDE = 512
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Style:
    """One built-in style.

    Attributes:
        id: What a caller names it by; the name of its folder.
        title: What a person calls it.
        artist: Who made it, or the work behind it.
        year: When; words such as "about 1831" are fine.
        license: Under which terms the swatch may be used.
        description: One sentence on how it looks.
        swatch: The picture that methods paint from.
        look: What the swatch looks like to the network of method feedforward at a long side of `LOOK_SIDE` pixels:
            a file of `stylizer.feedforward.looks`. None if that has not been stored.
    """

    id: str
    title: str
    artist: str
    year: str
    license: str
    description: str
    swatch: Path
    look: Path | None


_FACTS = tuple(field.name for field in fields(Style) if field.name not in ("id", "swatch", "look"))


def catalog() -> dict[str, Style]:
    """All built-in styles by id, in the order of their ids."""
    return dict(load(_FOLDER))


def get(id: str) -> Style:  # noqa: A002 - what it is called everywhere
    """Look up one built-in style.

    Raises:
        UnknownStyle: There is none of that id; `allowed` lists those there are.
    """
    styles = catalog()
    if id not in styles:
        known = ", ".join(styles)
        raise UnknownStyle(
            f"style is {id!r}; there are {known}, or give a picture", field="style", allowed=tuple(styles)
        )
    return styles[id]


@cache
def load(folder: Path) -> dict[str, Style]:
    """Read every style in a folder, once.

    Raises:
        ValueError: One of them is incomplete or wrong; the message names the file and what is the matter.
    """
    return {path.parent.name: _load_style(path) for path in sorted(folder.glob("*/style.toml"))}


def _load_style(path: Path) -> Style:
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    if missing := [name for name in _FACTS if not facts.get(name)]:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    if unknown := [name for name in facts if name not in _FACTS]:
        raise ValueError(f"{path} has unknown {', '.join(unknown)}; known are {', '.join(_FACTS)}")
    swatch = path.with_name("swatch.webp")
    if not swatch.is_file():
        raise ValueError(f"{swatch} is missing")
    look = path.with_name(LOOK_FILE)
    words = {name: str(facts[name]) for name in _FACTS}
    return Style(id=path.parent.name, swatch=swatch, look=look if look.is_file() else None, **words)
