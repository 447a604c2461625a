"""Style and content distance of every method over an evaluation set: `python -m training.quality --help`.

    python -m training.quality --content photographs --style artworks

paints every pair of the set by every method, writes the paintings and one sheet a method to look at, and prints the
distances. Started again it paints only what is missing: give `--again` after a change of the program. Figures compare
only under the same teachers; how many pictures there are, and what they are called, decides the pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from stylizer import Options, stylize
from stylizer.capabilities import STROKE_METHODS
from stylizer.compute import configure_process
from stylizer.options import QUALITIES, MethodName
from stylizer.output import write_atomically
from training.pictures import SUFFIXES
from training.quality_distances import Distance, Yardstick
from training.teachers import add_teachers_flag, load_teachers

STYLES_EACH = 4
CELL = (320, 260)  # of a sheet, in pixels


@dataclass(frozen=True)
class Pair:
    """A photo and the style it is painted in."""

    photo: Path
    style: Path

    @property
    def name(self) -> str:
        """What its painting is called."""
        return f"{self.photo.stem}--{self.style.stem}"


class Result(NamedTuple):
    """One painting: where it is, how far from its style and its photo, and how long it took."""

    pair: Pair
    painting: Path
    distance: Distance
    seconds: float


def find_pairs(content: Path, style: Path) -> list[Pair]:
    """Photo i with artworks (2 i + 3 k) mod their number, k = 0..3; a pair that comes up twice counts once."""
    photos, artworks = (_pictures(folder) for folder in (content, style))
    return [
        Pair(photo, artworks[chosen])
        for i, photo in enumerate(photos)
        for chosen in dict.fromkeys((2 * i + 3 * k) % len(artworks) for k in range(STYLES_EACH))
    ]


def _pictures(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no pictures in {folder}")
    names = [path.stem for path in paths]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several pictures in {folder} are called {', '.join(twice)}: paintings go by that name")
    return paths


def paint(pair: Pair, target: Path, method: MethodName, options: Options) -> None:
    """Write the painting to `target`, a PNG that says how many seconds it took."""
    painting = stylize(pair.photo, pair.style, method=method, options=options)
    note = PngInfo()
    note.add_text("seconds", f"{painting.seconds:.2f}")
    file = BytesIO()
    painting.image.save(file, "PNG", pnginfo=note)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, file.getvalue())


def seconds_of(painting: Path) -> float:
    """What `paint` noted."""
    with Image.open(painting) as file:
        return float(file.info["seconds"])


def measure(
    pairs: Sequence[Pair], method: MethodName, options: Options, yardstick: Yardstick, folder: Path, arguments: _Flags
) -> list[Result]:
    """Paint what is not there yet, and print the distances of each painting."""
    results = []
    for pair in pairs:
        target = folder / f"{pair.name}.png"
        kept = target.exists() and not arguments.again
        if not kept:
            paint(pair, target, method, options)
        result = Result(pair, target, yardstick.distance(pair.photo, pair.style, target), seconds_of(target))
        results.append(result)
        print(_line(method, result, kept), flush=True)
        if arguments.layers:
            print("   ", *(f"{name} {error:.3f}" for name, error in result.distance.layers.items()), flush=True)
    return results


def _line(method: MethodName, result: Result, kept: bool) -> str:
    distance = result.distance
    figures = [f"{title} {figure:.4f}" for title, figure in _figures(distance).items()]
    figures.append(f"{result.seconds:6.1f} s")
    return f"{method:<12}  {'  '.join(figures)}  {result.pair.name}{'  (painted earlier)' if kept else ''}"


def _figures(distance: Distance) -> dict[str, float]:
    """The figures of the table by their titles."""
    return {
        **{f"style@{side}": style for side, style in distance.styles.items()},
        **{f"content@{side}": content for side, content in distance.contents.items()},
        "relief": distance.relief,
    }


def table(results: dict[MethodName, list[Result]]) -> str:
    """The means of every method, in Markdown."""
    rows: list[str] = []
    for method, measured in results.items():
        figures = [_figures(result.distance) for result in measured]
        means = {title: fmean(each[title] for each in figures) for title in figures[0]}
        if not rows:
            rows = [f"| method | pairs | {' | '.join(means)} | seconds |", "|---|" + "---:|" * (len(means) + 2)]
        seconds = fmean(result.seconds for result in measured)
        cells = [method, str(len(measured)), *(f"{mean:.3f}" for mean in means.values()), f"{seconds:.1f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def sheet(results: Sequence[Result]) -> Image.Image:
    """All paintings of a method: a row a photo, which comes first, and then each style beside its painting."""
    rows: dict[Path, list[Path]] = {}
    for result in results:
        rows.setdefault(result.pair.photo, [result.pair.photo]).extend([result.pair.style, result.painting])
    width, height = CELL
    whole = Image.new("RGB", (width * max(map(len, rows.values())), height * len(rows)), "white")
    for y, row in enumerate(rows.values()):
        for x, path in enumerate(row):
            with Image.open(path) as file:
                picture = ImageOps.exif_transpose(file).convert("RGB")
            picture = ImageOps.pad(picture, (width - 4, height - 4), Image.Resampling.LANCZOS, "white")
            whole.paste(picture, (x * width + 2, y * height + 2))
    return whole


class _Flags(argparse.Namespace):
    content: Path
    style: Path
    teachers: Path | None
    methods: list[MethodName]
    quality: str
    size: int
    out: Path
    again: bool
    layers: bool


def _parse(argv: Sequence[str] | None) -> _Flags:
    parser = argparse.ArgumentParser(prog="python -m training.quality", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks")
    add_teachers_flag(parser)
    parser.add_argument("--methods", nargs="+", choices=STROKE_METHODS, default=STROKE_METHODS, help="(default: all)")
    parser.add_argument("--quality", choices=QUALITIES, default="standard", help="(%(default)s)")
    parser.add_argument("--size", type=int, default=512, help="long side of the paintings in pixels (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/quality"), help="for the paintings (%(default)s)")
    parser.add_argument("--again", action="store_true", help="paint also what has been painted before")
    parser.add_argument("--layers", action="store_true", help="print the style error of every layer too")
    return parser.parse_args(argv, _Flags())


def main(argv: Sequence[str] | None = None) -> None:
    """Paint, measure, and print the table."""
    arguments = _parse(argv)
    configure_process()
    pairs = find_pairs(arguments.content, arguments.style)
    yardstick = Yardstick(load_teachers(arguments.teachers))
    options = Options(size=arguments.size, quality=arguments.quality)  # type: ignore[arg-type] # argparse checked it
    results = {}
    for method in arguments.methods:
        folder = arguments.out / f"{method}-{options.quality}-{options.size}"
        results[method] = measure(pairs, method, options, yardstick, folder, arguments)
        picture = folder.with_suffix(".jpg")
        sheet(results[method]).save(picture, quality=88)
        print(f"{method}: {picture}", flush=True)
    print(f"\n{table(results)}")


if __name__ == "__main__":
    main()
