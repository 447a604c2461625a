"""Styles: one folder each, with a swatch, cached statistics and metadata.

Built-in styles are the folders next to this file; user styles (`stylizer.style_folder.add`) are in `user_folder()`. A
folder `<id>/` contains `swatch.webp` (or another image format), optionally `look.safetensors` with cached statistics
(`stylizer.style_cache`; otherwise they are computed from the swatch), and `style.toml`:

    title = "Woodcut"
    artist = "painted by this project"
    year = "2026"
    license = "MIT"
    description = "Black lines cut along the light."

`order.toml` next to the built-in folders defines their order in the catalog.
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
STATISTICS_SIDE = 512  # largest long side in pixels for which statistics are cached
_FOLDER = Path(__file__).parent
_ID = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Style:
    """A style.

    Attributes:
        id: Identifier; the name of its folder.
        title: Display name.
        artist: Artist of the picture or of the original work.
        year: Year; text such as "about 1831" is valid.
        license: License of the swatch.
        description: One sentence.
        swatch: Path of the picture that methods use: the original work, or one synthesized from its statistics.
        statistics: Path of the cached statistics, see `stylizer.style_cache`; None if there are none.
    """

    id: str
    title: str
    artist: str
    year: str
    license: str
    description: str
    swatch: Path
    statistics: Path | None


_METADATA_FIELDS = tuple(field.name for field in fields(Style) if field.name not in ("id", "swatch", "statistics"))


def catalog() -> dict[str, Style]:
    """Return all built-in styles by id, in the order of `order.toml`: best results first."""
    return dict(load(_FOLDER))


def user_styles() -> dict[str, Style]:
    """Return all user styles by id, in alphabetical order.

    Raises:
        UnknownStyle: The folder of a style is incomplete or invalid.
    """
    paths = sorted(user_folder().glob("*/style.toml"))
    names = [path.parent.name for path in paths if is_id(path.parent.name)]
    return {name: style for name in names if (style := _find_user_style(name)) is not None}


def user_folder() -> Path:
    """Return the folder of user styles: STYLIZER_STYLES, by default `stylizer/styles` in the XDG data folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    # Path.expanduser raises if the process has no home directory; there are no user styles then.
    return Path(os.path.expanduser(named or f"{data}/stylizer/styles"))  # noqa: PTH111


def is_id(text: str) -> bool:
    """Return whether `text` is a valid id, see `ID_FORM`."""
    return _ID.fullmatch(text) is not None


def find(id: str) -> Style | None:  # noqa: A002 - the established name
    """Return the built-in or user style of an id, or None.

    Raises:
        UnknownStyle: Its folder is incomplete or invalid.
    """
    return catalog().get(id) or (_find_user_style(id) if is_id(id) else None)


def _find_user_style(id: str) -> Style | None:  # noqa: A002
    path = user_folder() / id / "style.toml"
    try:
        return _load_style(path) if path.is_file() else None
    except (ValueError, OSError) as error:
        raise UnknownStyle(f"style is {id!r}, whose folder cannot be used: {error}", field="style") from error


def get(id: str) -> Style:  # noqa: A002
    """Return the built-in or user style of an id.

    Raises:
        UnknownStyle: There is none, and `allowed` lists all ids; or its folder is invalid.
    """
    style = find(id)
    if style is None:
        names = [*catalog(), *user_styles()]
        detail = f"style is {id!r}; there are {', '.join(names)}, or give a picture"
        raise UnknownStyle(detail, field="style", allowed=names)
    return style


@cache
def load(folder: Path) -> dict[str, Style]:
    """Read all styles in a folder, in the order of its `order.toml`, then by id; cached.

    Raises:
        ValueError: A style is incomplete or invalid; the message names the file and the problem.
    """
    order = _order(folder / ORDER_FILE)
    found = {path.parent.name: path for path in sorted(folder.glob("*/style.toml"))}
    ranked = [name for name in order if name in found]
    return {name: _load_style(found[name]) for name in dict.fromkeys([*ranked, *found])}


def _order(path: Path) -> list[str]:
    """Read the ids in an `order.toml`; empty if there is no such file."""
    if not path.is_file():
        return []
    try:
        return [str(name) for name in tomllib.loads(path.read_text(encoding="utf-8"))["order"]]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must have a list of ids called order: {error!r}") from error


def _load_style(path: Path) -> Style:
    try:
        metadata = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    if missing := [name for name in _METADATA_FIELDS if not metadata.get(name)]:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    if unknown := [name for name in metadata if name not in _METADATA_FIELDS]:
        raise ValueError(f"{path} has unknown {', '.join(unknown)}; known are {', '.join(_METADATA_FIELDS)}")
    swatch = next((file for file in sorted(path.parent.glob("swatch.*")) if file.is_file()), None)
    if swatch is None:
        raise ValueError(f"{path.with_name('swatch.webp')} is missing")
    statistics = path.with_name(STATISTICS_FILE)
    words = {name: str(metadata[name]) for name in _METADATA_FIELDS}
    return Style(id=path.parent.name, swatch=swatch, statistics=statistics if statistics.is_file() else None, **words)
