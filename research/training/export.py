"""Export the shipped weights from a run's last checkpoint: `python -m training.export --run DIR`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from stylizer.features.compact import WEIGHTS, CompactEncoder, CompactFeatures, View
from training.checkpoints import read_checkpoint
from training.student import Student
from training.teachers import LAYERS, Layer


def features_of(run: Path, layers: Sequence[Layer] = LAYERS) -> CompactFeatures:
    """Return the encoder of a run's last checkpoint (its averaged weights) with its adapters as views."""
    student = Student(CompactEncoder(), layers)
    student.load_state_dict(read_checkpoint(run)["average"])
    views = {}
    for layer in layers:
        adapter = student.adapter(layer)
        views[layer.name] = View(layer.tap, adapter.matrix.detach(), adapter.offset.detach())
    return CompactFeatures(student.encoder, views)


def export(features: CompactFeatures, path: Path) -> None:
    """Write `features` in half precision."""
    state = {key: value.half().contiguous() for key, value in features.state_dict().items()}
    taps = {name: view.tap for name, view in features.views.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, {"views": json.dumps(taps)})
    path.chmod(0o644)  # safetensors creates files readable by the owner only


def main(argv: list[str] | None = None) -> None:
    """Export the weights."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the --out of training.distill")
    parser.add_argument("--to", type=Path, default=WEIGHTS, help="(%(default)s)")
    arguments = parser.parse_args(argv)
    export(features_of(arguments.run), arguments.to)


if __name__ == "__main__":
    main()
