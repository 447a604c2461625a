"""Warm-up: modules imported before the first job."""

from __future__ import annotations

import json
import subprocess
import sys

from stylizer.capabilities import METHODS

SMALL = {"torch.profiler._cupti_monitor"}
"""A module that torch imports with the first step of an optimizer, in milliseconds."""
PAINT = """
import json, sys
from stylizer_painter.warmup import warm_up
import stylizer
from PIL import Image

if __name__ == "__main__":
    warm_up()
    loaded = set(sys.modules)
    photo, style = (Image.radial_gradient("L").resize((64, 48)).convert("RGB").rotate(turn) for turn in (0, 90))
    for method in json.loads(sys.argv[1]):
        stylizer.stylize(photo, style, method=method, options=stylizer.Options(size=64, quality="draft"))
    print(json.dumps(sorted(set(sys.modules) - loaded)))
"""


def test_first_painting_after_warm_up_imports_nothing() -> None:
    command = [sys.executable, "-c", PAINT, json.dumps(list(METHODS))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= SMALL
