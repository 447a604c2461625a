"""Stability and time of painted clips: `python -m benchmarks.clips [--json]`.

Paints a clip of a camera that stands still and one that pans, cut from the photo of the documentation with sensor
noise. Compares successive frames after moving the earlier one by the known motion: the warped difference. Its
baseline is the same of frames that are painted one by one.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from benchmarks.figures import markdown_table, number
from benchmarks.plan import PHOTO, STYLE
from stylizer.compute import configure_process
from stylizer.options import MethodName

SIZE = 512
FRAMES = 9
NOISE = 1.5  # standard deviation of the sensor noise, of 255
METHODS: tuple[MethodName, ...] = ("neighbor", "feedforward", "color")
STEPS: dict[str, tuple[float, float]] = {"still": (0, 0), "pan": (3.2, 0.8)}
"""Pixels that the camera of each clip moves in one frame, horizontally and vertically."""
HEADS = ("clip:", "method:", "frame by frame", "as a clip", "ratio", "CPU s, one by one", "CPU s, as a clip")
ZOOM = 1.2  # size of the photo relative to the frames that are cut from it
BORDER = 8  # pixels at the edges that are not compared

Floats = npt.NDArray[np.float32]
Measured = tuple[float, float, float, float]
"""Warped difference, of 255, of frames painted one by one and as a clip; processor seconds a frame of both."""


def measure() -> dict[str, Measured]:
    """Return the figures by clip and method, such as "pan neighbor"."""
    return {f"{name} {method}": _measure(method, step) for name, step in STEPS.items() for method in METHODS}


def rows(measured: dict[str, Measured]) -> list[tuple[str, ...]]:
    """Return the rows of the table with the columns `HEADS`."""
    found = []
    for name, (alone, together, *seconds) in measured.items():
        clip, method = name.split()
        ratio = number(alone / together) if together >= 0.05 else "none left"
        differences = f"{alone:.1f}", f"{together:.1f}"
        found.append((clip, f"`{method}`", *differences, ratio, *map(number, seconds)))
    return found


def _measure(method: MethodName, step: tuple[float, float]) -> Measured:
    from stylizer import Options, stylize, stylize_clip  # after `configure_process`: it imports torch

    frames = _frames(step)
    options = Options(size=SIZE)
    stylize(frames[0], STYLE, method=method, options=options)  # reads the style and the networks
    began = time.process_time()
    alone = [stylize(frame, STYLE, method=method, options=options).image for frame in frames]
    between = time.process_time()
    clip = stylize_clip(_webp(frames), STYLE, method=method, options=options, format="png")
    ended = time.process_time()
    return (
        warped_difference(alone, step),
        warped_difference(_read(clip.data), step),
        (between - began) / FRAMES,
        (ended - between) / FRAMES,
    )


def _frames(step: tuple[float, float]) -> list[Image.Image]:
    """Return the frames of a camera that moves over the photo by `step` pixels a frame, with sensor noise."""
    random = np.random.default_rng(0)
    with Image.open(PHOTO) as photo:
        width, height = SIZE, round(SIZE * photo.height / photo.width)
        whole = photo.convert("RGB").resize((round(ZOOM * width), round(ZOOM * height)), Image.Resampling.LANCZOS)
    frames = []
    for index in range(FRAMES):
        cut = _shifted(whole, (10 + step[0] * index, 10 + step[1] * index), (width, height))
        noisy = np.asarray(cut, np.float32) + NOISE * random.normal(size=(height, width, 3))
        frames.append(Image.fromarray(np.rint(noisy).clip(0, 255).astype(np.uint8)))
    return frames


def warped_difference(frames: Sequence[Image.Image], step: tuple[float, float]) -> float:
    """Return the mean absolute difference of successive frames, of 255, after moving the earlier one by `step`.

    Equal frames may be left out of `frames`, as in files.
    """
    moved = [_inner(_shifted(frame, step, frame.size)) for frame in frames[:-1]]
    return sum(float(np.abs(a - _inner(b)).mean()) for a, b in zip(moved, frames[1:], strict=True)) / (FRAMES - 1)


def _shifted(image: Image.Image, by: tuple[float, float], size: tuple[int, int]) -> Image.Image:
    return image.transform(size, Image.Transform.AFFINE, (1, 0, by[0], 0, 1, by[1]), Image.Resampling.BICUBIC)


def _inner(image: Image.Image) -> Floats:
    inside = slice(BORDER, -BORDER)
    pixels: Floats = np.asarray(image.convert("RGB"), np.float32)[inside, inside]
    return pixels


def _webp(frames: Sequence[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    frames[0].save(buffer, "webp", save_all=True, append_images=list(frames[1:]), lossless=True, duration=40)
    return buffer.getvalue()


def _read(data: bytes) -> list[Image.Image]:
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def main() -> None:
    """Measure, and print a table, or all as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clips", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    is_json = parser.parse_args().json
    configure_process()
    measured = measure()
    print(json.dumps(measured) if is_json else markdown_table(HEADS, rows(measured)))


if __name__ == "__main__":
    main()
