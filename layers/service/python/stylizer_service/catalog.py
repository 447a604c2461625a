"""Built-in styles, read from their folders without importing the core (and torch with it)."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinStyle:
    """A style that ships with the project."""

    id: str
    title: str
    artist: str | None
    year: str | None
    license: str | None
    description: str | None
    swatch: Path


class Catalog(Mapping[str, BuiltinStyle]):
    """Built-in styles by id: in the order given by the folder's `order.toml`, the rest sorted by id.

    Args:
        folder: Contains one folder per style, with `style.toml` and `swatch.webp`, and optionally `order.toml`.

    Raises:
        FileNotFoundError: There is no such folder.
    """

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder of styles at {folder}")
        found = {path.parent.name: path.parent for path in sorted(folder.glob("*/style.toml"))}
        order = dict.fromkeys([*_order(folder), *found])
        self._styles = {name: _read(found[name]) for name in order if name in found}

    def __getitem__(self, style_id: str) -> BuiltinStyle:
        return self._styles[style_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._styles)

    def __len__(self) -> int:
        return len(self._styles)

    def after(self, style_id: str) -> list[BuiltinStyle]:
        """Return the styles that follow the given one in catalog order.

        Raises:
            KeyError: There is no such style.
        """
        names = list(self._styles)
        if style_id not in self._styles:
            raise KeyError(style_id)
        return [self._styles[name] for name in names[names.index(style_id) + 1 :]]


def installed_styles() -> Path:
    """Return the styles folder inside the installed core, located without importing it.

    Raises:
        FileNotFoundError: The core is not installed.
    """
    spec = importlib.util.find_spec("stylizer")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the core is not installed here: set STYLIZER_STYLES_DIR to the folder of the styles")
    return Path(spec.submodule_search_locations[0]) / "styles"


def _order(folder: Path) -> list[str]:
    file = folder / "order.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))["order"] if file.is_file() else []


def _read(folder: Path) -> BuiltinStyle:
    entry = tomllib.loads((folder / "style.toml").read_text(encoding="utf-8"))

    def text(name: str) -> str | None:
        # TOML may hold a number, such as a year; all values are for display only.
        return str(entry[name]) if name in entry else None

    return BuiltinStyle(
        id=folder.name,
        title=text("title") or folder.name,
        artist=text("artist"),
        year=text("year"),
        license=text("license"),
        description=text("description"),
        swatch=folder / "swatch.webp",
    )
