"""The styles: one folder each, with a swatch to paint from, what is known of its looks, and the facts about it.

The built-in ones are the folders beside this file; those a person added (`stylizer.style_folder.add`) lie in
`own_folder()`. A folder `<id>/` holds a `swatch.webp` (or the like), a `look.safetensors` (see `stylizer.style_cache`;
methods do without, by looking at the swatch) and a `style.toml`:

    title = "Woodcut"
    artist = "painted by this project"
    year = "2026"
    license = "MIT"
    description = "Black lines cut along the light."

`order.toml` beside the built-in folders ranks them for the catalog.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from stylizer.errors import UnknownStyle

FOLDER_VARIABLE = "STYLIZER_STYLES"
ID_FORM = "1 to 64 lowercase letters and digits, with single hyphens between them"
STATISTICS_FILE = "look.safetensors"
ORDER_FILE = "order.toml"
STATISTICS_SIDE = 512  # pixels on the long side, the largest that looks are stored of
_FOLDER = Path(__file__).parent
_ID = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Style:
    """One style.

    Attributes:
        id: What a caller names it by; the name of its folder.
        title: What a person calls it.
        artist: Who made it, or the work behind it.
        year: When; words such as "about 1831" are fine.
        license: Under which terms the swatch may be used.
        description: One sentence on how it looks.
        swatch: The picture that methods paint from: the work itself, or a likeness of it.
        look: What the work looks like to the compact encoder, a file of `stylizer.style_cache`; None if that has not
            been stored.
    """

    id: str
    title: str
    artist: str
    year: str
    license: str
    description: str
    swatch: Path
    statistics: Path | None


_FACTS = tuple(field.name for field in fields(Style) if field.name not in ("id", "swatch", "statistics"))


def catalog() -> dict[str, Style]:
    """All built-in styles by id: those that paint best first, as `order.toml` ranks them."""
    return dict(load(_FOLDER))


def own() -> dict[str, Style]:
    """All styles that were added on this machine by id, in the order of their ids.

    Raises:
        UnknownStyle: The folder of one of them is incomplete or wrong.
    """
    paths = sorted(own_folder().glob("*/style.toml"))
    names = [path.parent.name for path in paths if is_id(path.parent.name)]
    return {name: style for name in names if (style := _find_own(name)) is not None}


def own_folder() -> Path:
    """Where styles of one's own lie: the folder that STYLIZER_STYLES names, or else one with the user's other data."""
    named = os.environ.get(FOLDER_VARIABLE)
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    # Path.expanduser would fail where a process has no home; there are no own styles there.
    return Path(os.path.expanduser(named or f"{data}/stylizer/styles"))  # noqa: PTH111


def is_id(text: str) -> bool:
    """Whether a style could be called that: `ID_FORM`."""
    return _ID.fullmatch(text) is not None


def find(id: str) -> Style | None:  # noqa: A002 - what it is called everywhere
    """StyleStatistics up one style, built-in or one's own; None if there is none of that id.

    Raises:
        UnknownStyle: Its folder is incomplete or wrong.
    """
    return catalog().get(id) or (_find_own(id) if is_id(id) else None)


def _find_own(id: str) -> Style | None:  # noqa: A002
    path = own_folder() / id / "style.toml"
    try:
        return _load_style(path) if path.is_file() else None
    except (ValueError, OSError) as error:
        raise UnknownStyle(f"style is {id!r}, whose folder cannot be used: {error}", field="style") from error


def get(id: str) -> Style:  # noqa: A002
    """StyleStatistics up one style, built-in or one's own.

    Raises:
        UnknownStyle: There is none of that id, and `allowed` lists those there are; or its folder is wrong.
    """
    style = find(id)
    if style is None:
        names = [*catalog(), *own()]
        detail = f"style is {id!r}; there are {', '.join(names)}, or give a picture"
        raise UnknownStyle(detail, field="style", allowed=names)
    return style


@cache
def load(folder: Path) -> dict[str, Style]:
    """Read every style in a folder, once: in the order of its `order.toml`, then by id.

    Raises:
        ValueError: One of them is incomplete or wrong; the message names the file and what is the matter.
    """
    order = _order(folder / ORDER_FILE)
    found = {path.parent.name: path for path in sorted(folder.glob("*/style.toml"))}
    ranked = [name for name in order if name in found]
    return {name: _load_style(found[name]) for name in dict.fromkeys([*ranked, *found])}


def _order(path: Path) -> list[str]:
    """Ids in the order of an `order.toml`; none where there is no such file."""
    if not path.is_file():
        return []
    try:
        return [str(name) for name in tomllib.loads(path.read_text(encoding="utf-8"))["order"]]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must have a list of ids called order: {error!r}") from error


def _load_style(path: Path) -> Style:
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    if missing := [name for name in _FACTS if not facts.get(name)]:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    if unknown := [name for name in facts if name not in _FACTS]:
        raise ValueError(f"{path} has unknown {', '.join(unknown)}; known are {', '.join(_FACTS)}")
    swatch = next((file for file in sorted(path.parent.glob("swatch.*")) if file.is_file()), None)
    if swatch is None:
        raise ValueError(f"{path.with_name('swatch.webp')} is missing")
    statistics = path.with_name(STATISTICS_FILE)
    words = {name: str(facts[name]) for name in _FACTS}
    return Style(id=path.parent.name, swatch=swatch, statistics=statistics if statistics.is_file() else None, **words)
