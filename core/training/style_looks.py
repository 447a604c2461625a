"""Store beside every built-in style what its swatch looks like: `python -m training.style_looks`.

To be run again whenever a swatch or the compact encoder has changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image

from stylizer.features.compact import load_encoder
from stylizer.feedforward.looks import Look
from stylizer.styles import LOOK_FILE, LOOK_SIDE, catalog
from stylizer.tensors import long_side_to, to_tensor


@torch.inference_mode()
def look_of(swatch: Path) -> Look:
    """What a swatch looks like at a long side of `LOOK_SIDE` pixels."""
    with Image.open(swatch) as file:
        picture = file.convert("RGB")
    image = to_tensor(picture.resize(long_side_to(LOOK_SIDE, *picture.size), Image.Resampling.LANCZOS))
    return Look.of(image, load_encoder()(image))


def main(argv: list[str] | None = None) -> None:
    """Store all."""
    argparse.ArgumentParser(prog="python -m training.style_looks", description=__doc__).parse_args(argv)
    for style in catalog().values():
        look_of(style.swatch).save(style.swatch.with_name(LOOK_FILE))


if __name__ == "__main__":
    main()
