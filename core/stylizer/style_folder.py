"""Making the folder of a style from a picture."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from stylizer import features, style_cache, styles
from stylizer.compute import exact_float32
from stylizer.errors import OptionError
from stylizer.features.statistics import Statistics
from stylizer.feedforward.style_statistics import StyleStatistics
from stylizer.images import DEFAULT_LIMITS, ImageSource, Limits, decode
from stylizer.painting import load_style
from stylizer.style_transfer_loss import reflect_pad
from stylizer.styles import STATISTICS_FILE, STATISTICS_SIDE, Style
from stylizer.tensors import CPU

PALETTE_COLORS = 2048


def add(
    name: str,
    file: Path,
    *,
    title: str | None = None,
    artist: str = "unknown",
    year: str = "unknown",
    license: str = "as the picture's",  # noqa: A002 - the name of the fact
    description: str | None = None,
    replace: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Style:
    """Add a style of one's own, which can then be painted in by its name.

    Args:
        name: What to call it, of the form `stylizer.styles.ID_FORM`.
        file: A picture, which is kept as it is, metadata included.
        title: What a person calls it; made from the name if not given.
        artist: See `stylizer.styles.Style`, as for the next three.
        year: When.
        license: Under which terms.
        description: One sentence on how it looks; made from the name of the file if not given.
        replace: Whether to put it in the place of an own style that has this name already.
        limits: What is accepted as a picture.

    Raises:
        OptionError: The name cannot be used, or one of the facts is empty.
        ImageError: The picture cannot be used.
        OSError: The folder cannot be written.
    """
    _check_name(name, replace)
    facts = {
        "title": title or name.replace("-", " ").capitalize(),
        "artist": artist,
        "year": year,
        "license": license,
        "description": description or f"Your own, from {file.name}.",
    }
    for fact, value in facts.items():
        if not value:
            raise OptionError(f"{fact} is empty; it must be words", field=fact, allowed="words")
    suffix = decode(file, limits=limits, field="style").format
    by_side, palette = measure(file, (STATISTICS_SIDE,), limits)
    with _made_whole(styles.own_folder() / name, replace) as folder:
        shutil.copyfile(file, folder / f"swatch.{suffix}")
        style_cache.save(folder / STATISTICS_FILE, by_side, palette)
        (folder / "style.toml").write_text(toml(facts), encoding="utf-8")
    return styles.get(name)


@contextmanager
def _made_whole(folder: Path, replace: bool) -> Iterator[Path]:
    """A folder to fill, which then becomes `folder`, or, if it may, takes its place; where that fails, it is gone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside where it will be; no style is called that, so it is never taken for one.
    made = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        made.chmod(0o755)  # which mkdtemp keeps to its owner
        yield made
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_name(name: str, replace: bool) -> None:
    if not styles.is_id(name):
        detail = f"name is {name!r}; it must be {styles.ID_FORM}"
        raise OptionError(detail, field="name", allowed=styles.ID_FORM)
    if name in styles.catalog():
        raise OptionError(f"name is {name!r}, which is a built-in style; choose another", field="name")
    if not replace and (styles.own_folder() / name).exists():
        detail = f"name is {name!r}, which is a style of yours already; replace it, or choose another"
        raise OptionError(detail, field="name")


@torch.inference_mode()
def measure(
    source: ImageSource, sides: Sequence[int], limits: Limits = DEFAULT_LIMITS
) -> tuple[dict[int, StyleStatistics], Tensor]:
    """What a picture looks like to the compact encoder.

    Args:
        source: The picture.
        sides: The long sides to look at it at, in pixels.
        limits: What is accepted as a picture.

    Returns:
        The looks by their side, and the palette: some of the colors, in an order that says nothing of where they were,
        (N, 3) in sRGB, uint8.
    """
    network = features.load("compact")
    by_side = {}
    with exact_float32():
        for side in sides:
            image = load_style(source, side, None, limits, CPU)
            # With what optimization looks at around a picture, since it is compared with that.
            taps = network(reflect_pad(image))
            by_side[side] = StyleStatistics(tuple(Statistics.of(level) for level in (image, *taps)))
    return by_side, _palette(image)


def _palette(image: Tensor) -> Tensor:
    """Some of the colors of `image` (1, 3, h, w), sorted: (N, 3), uint8."""
    colors = image[0].flatten(1).T.mul(255).round().to(torch.uint8)
    chosen = colors[torch.linspace(0, len(colors) - 1, PALETTE_COLORS, dtype=torch.float32).round().long()]
    place = chosen.long() @ torch.tensor([256**2, 256, 1])
    return chosen[place.argsort()]


def toml(facts: dict[str, str]) -> str:
    """The text of a `style.toml`."""
    # A text in JSON is one in TOML too, but for a control character that JSON leaves as it is.
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in facts.items())
    # A description may have been made of the name of a file, which need not be text.
    return text.replace("\x7f", "\\u007f").encode(errors="replace").decode()
