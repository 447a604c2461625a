"""Select the best decoder of a training run on an evaluation set: `python -m training.choose --help`.

Installs the one with the least style distance among those within a limit on the content distance.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor

from stylizer.compute import configure_process
from stylizer.feedforward import network as networks
from stylizer.feedforward.grain import Grain
from stylizer.feedforward.network import Network
from stylizer.methods.feedforward import MAX_STRENGTH
from stylizer.tensors import to_image
from stylizer.tiles import tiles
from training.feedforward import KEPT_DECODERS
from training.quality import Pair, find_pairs
from training.quality_distances import LONG_SIDE, Yardstick, read
from training.teachers import add_teachers_flag, load_teachers


class Candidate(NamedTuple):
    """A decoder and the mean distances of its paintings."""

    path: Path
    style: float
    content: float


@torch.inference_mode()
def paint(network: Network, photo: Tensor, style: Tensor) -> Tensor:
    """Paint `photo` (1, 3, H, W) in the style of `style` (1, 3, h, w), like the method `feedforward`."""
    encoded = network.encode(photo, next(tiles((photo.shape[2], photo.shape[3]), LONG_SIDE)), Grain(0))
    own = network.photo_statistics(encoded)
    return network.decode(
        encoded, network.decoder.modulate(own, own.lerp(network.style_statistics(style), MAX_STRENGTH))
    )


def measure(path: Path, pairs: Sequence[Pair], yardstick: Yardstick) -> Candidate:
    """Paint every pair with the decoder at `path` and return its mean distances."""
    network, distances = networks.load(replace(networks.FEEDFORWARD, path=path)), []
    with TemporaryDirectory() as folder:
        painting = Path(folder) / "painting.png"
        for pair in pairs:
            to_image(paint(network, read(pair.photo), read(pair.style))).save(painting)
            distances.append(yardstick.distance(pair.photo, pair.style, painting))
    return Candidate(path, fmean(d.style for d in distances), fmean(d.content for d in distances))


def best_of(candidates: Sequence[Candidate], content_limit: float) -> Candidate:
    """Return the least style distance within the limit, or else the least content distance."""
    within = [candidate for candidate in candidates if candidate.content <= content_limit]
    return min(within, key=lambda c: c.style) if within else min(candidates, key=lambda c: c.content)


def main(argv: list[str] | None = None) -> None:
    """Measure all saved decoders and install the best."""
    parser = argparse.ArgumentParser(prog="python -m training.choose", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the --out of training.feedforward")
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs not trained on")
    parser.add_argument("--style", type=Path, required=True, help="folder of artworks not trained on")
    add_teachers_flag(parser)
    parser.add_argument("--content-limit", type=float, default=0.9, help="mean content distance (%(default)s)")
    parser.add_argument("--to", type=Path, default=networks.FEEDFORWARD.path, help="(%(default)s)")
    arguments = parser.parse_args(argv)
    configure_process()
    pairs = find_pairs(arguments.content, arguments.style)
    yardstick = Yardstick(load_teachers(arguments.teachers))
    candidates = []
    for path in sorted(arguments.run.glob(KEPT_DECODERS)):
        candidates.append(measure(path, pairs, yardstick))
        print(f"{path.name}: style {candidates[-1].style:.4f}  content {candidates[-1].content:.4f}", flush=True)
    best = best_of(candidates, arguments.content_limit)
    shutil.copyfile(best.path, arguments.to)
    print(f"{best.path.name} -> {arguments.to}")


if __name__ == "__main__":
    main()
