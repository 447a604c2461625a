"""Creation of style folders from pictures."""

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
from stylizer.style_inputs import load_style
from stylizer.style_transfer_loss import add_margin
from stylizer.styles import STATISTICS_FILE, STATISTICS_SIDE, Style
from stylizer.tensors import CPU

PALETTE_COLORS = 2048  # sample size of a cached palette


def add(
    name: str,
    file: Path,
    *,
    title: str | None = None,
    artist: str = "unknown",
    year: str = "unknown",
    license: str = "as the picture's",  # noqa: A002 - the name of the field
    description: str | None = None,
    replace: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Style:
    """Add a user style, available by its name from then on.

    Args:
        name: Id of the style, see `stylizer.styles.ID_FORM`.
        file: The picture, which is copied unchanged, with its metadata.
        title: Display name; by default derived from `name`.
        artist: See `stylizer.styles.Style`, as for the next three.
        year: Year.
        license: License of the picture.
        description: One sentence; by default it names the file.
        replace: Whether to replace a user style of this name.
        limits: Limits on the picture.

    Returns:
        The new style.

    Raises:
        OptionError: The name is invalid or taken, or a metadata field is empty.
        ImageError: The picture is unusable.
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
    by_side, palette = compute_statistics(file, (STATISTICS_SIDE,), limits)
    with _atomic_folder(styles.user_folder() / name, replace) as folder:
        shutil.copyfile(file, folder / f"swatch.{suffix}")
        style_cache.save(folder / STATISTICS_FILE, by_side, palette)
        (folder / "style.toml").write_text(format_style_toml(facts), encoding="utf-8")
    return styles.get(name)


@contextmanager
def _atomic_folder(folder: Path, replace: bool) -> Iterator[Path]:
    """Yield a staging folder that is renamed to `folder` on success, and deleted on failure."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # In the same filesystem; a name with a leading dot is not a valid id, so it is never listed.
    staging = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        staging.chmod(0o755)  # mkdtemp creates it with mode 0700
        yield staging
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_name(name: str, replace: bool) -> None:
    if not styles.is_id(name):
        detail = f"name is {name!r}; it must be {styles.ID_FORM}"
        raise OptionError(detail, field="name", allowed=styles.ID_FORM)
    if name in styles.catalog():
        raise OptionError(f"name is {name!r}, which is a built-in style; choose another", field="name")
    if not replace and (styles.user_folder() / name).exists():
        detail = f"name is {name!r}, which is a style of yours already; replace it, or choose another"
        raise OptionError(detail, field="name")


@torch.inference_mode()
def compute_statistics(
    source: ImageSource, sides: Sequence[int], limits: Limits = DEFAULT_LIMITS
) -> tuple[dict[int, StyleStatistics], Tensor]:
    """Compute the statistics of a style picture at several sizes, and its palette.

    Args:
        source: The picture.
        sides: Long sides in pixels at which to compute statistics.
        limits: Limits on the picture.

    Returns:
        Statistics by long side, and the palette: a sample of the colors, sorted so that their positions cannot be
        recovered, (N, 3) in sRGB, uint8.
    """
    network = features.load("compact")
    by_side = {}
    with exact_float32():
        for side in sides:
            image = load_style(source, side, None, limits, CPU)
            # With the padding that optimization uses, since its statistics are compared with these.
            taps = network(add_margin(image))
            by_side[side] = StyleStatistics(tuple(Statistics.from_features(level) for level in (image, *taps)))
    return by_side, _palette(image)


def _palette(image: Tensor) -> Tensor:
    """Sample the colors of `image` (1, 3, h, w), sorted: (N, 3), uint8."""
    colors = image[0].flatten(1).T.mul(255).round().to(torch.uint8)
    chosen = colors[torch.linspace(0, len(colors) - 1, PALETTE_COLORS, dtype=torch.float32).round().long()]
    place = chosen.long() @ torch.tensor([256**2, 256, 1])
    return chosen[place.argsort()]


def format_style_toml(facts: dict[str, str]) -> str:
    """Format the content of a `style.toml`."""
    # A JSON string is a TOML string too, except for DEL, which JSON does not escape.
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in facts.items())
    # A description can contain a file name, which need not be valid Unicode.
    return text.replace("\x7f", "\\u007f").encode(errors="replace").decode()
