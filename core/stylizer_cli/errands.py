"""What is to be painted: one errand a photo, settled before any time is spent on painting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stylizer.errors import OptionError, StylizerError
from stylizer.images.encoding import Format
from stylizer.options import MethodName, Options, check_weight
from stylizer_cli.targets import STANDARD_STREAM, Target, choose_quality, choose_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to paint: styles with weights, method, controls, masks, and the encoder quality if one was given."""

    styles: Sequence[tuple[str, float]]
    method: MethodName
    options: Options
    mask: str | None = None
    content_mask: str | None = None
    format_quality: int | None = None

    @property
    def names(self) -> list[str]:
        """The styles without their weights."""
        return [name for name, _ in self.styles]


@dataclass(frozen=True, slots=True)
class Errand:
    """One photo to be painted.

    Attributes:
        photo: A path, or - for stdin.
        wish: How to paint it.
        target: Where to.
        name: What it is called on the screen.
        is_resumable: Whether the same command, given again after it was interrupted, finds what this one began.
    """

    photo: str
    wish: Wish
    target: Target
    name: str = "painting"
    is_resumable: bool = True

    @property
    def quality(self) -> int:
        """Of the encoder."""
        return choose_quality(self.wish.format_quality, self.target.format)


class Painted(NamedTuple):
    """What has been painted: its size in pixels, the seconds it took, and the features it was painted by."""

    width: int
    height: int
    seconds: float
    features: str | None


OnEnd = Callable[[Errand, Painted | StylizerError], None]
"""Told how each errand ended; raises to leave the others undone."""


def parse_style(text: str) -> tuple[str, float]:
    """Split "woodcut=0.7" into style and weight; the name of a file may contain "=" too.

    Raises:
        OptionError: The weight is not a number above 0.
    """
    name, equals, number = text.rpartition("=")
    if not equals or Path(text).exists():
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        return text, 1.0
    check_weight(weight)
    return name, weight


def plan_one(photo: str, wish: Wish, output: str | None, wanted: Format | None, force: bool) -> Errand:
    """Settle where one painting goes.

    Raises:
        OptionError: It cannot go there.
    """
    errand = Errand(photo, wish, choose_target(photo, wish.names, output, wanted, force))
    choose_quality(wish.format_quality, errand.target.format)
    return errand


def plan_many(
    photos: Sequence[str], wish: Wish, output: str | None, to: str | None, wanted: Format | None
) -> list[Errand]:
    """Settle where many paintings go: PHOTO-STYLE in the folder `output`, or in `to`, which is made if it is not there.

    Raises:
        OptionError: They cannot go there.
    """
    if STANDARD_STREAM in photos:
        raise OptionError("photo is -, which cannot be one of many", field="photo", allowed="names of files")
    folder = to or output or "."
    if not Path(folder).is_dir() and (to is None or Path(to).exists()):
        detail = f"output is {folder!r}, which is no folder, and there are several paintings; --to makes one"
        raise OptionError(detail, field="output")
    Path(folder).mkdir(parents=True, exist_ok=True)
    errands: dict[Path, Errand] = {}
    for photo in dict.fromkeys(photos):
        target = choose_target(photo, wish.names, folder, wanted, force=True)
        assert target.path is not None  # only stdout has none
        if target.path in errands:
            detail = f"{errands[target.path].photo!r} and {photo!r} would both become {str(target.path)!r}"
            raise OptionError(detail, field="photo", allowed="photos of different names")
        errands[target.path] = Errand(photo, wish, target, Path(photo).name)
        choose_quality(wish.format_quality, target.format)
    return list(errands.values())
