from __future__ import annotations

import pytest
from clip_files import panned
from PIL import Image

from benchmarks import clips


def test_warped_difference_vanishes_for_the_true_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.fromarray(frame) for frame in panned(4, (3, 1))]
    monkeypatch.setattr(clips, "FRAMES", len(frames))
    assert clips.warped_difference(frames, (3, 1)) < 0.1
    assert clips.warped_difference(frames, (0, 0)) > 3


def test_row_tells_how_many_times_steadier_a_clip_is() -> None:
    rows = clips.rows({"pan neighbor": (12.0, 3.0, 2.0, 2.5), "still color": (1.0, 0.0, 0.5, 0.25)})
    assert rows == [
        ("pan", "`neighbor`", "12.0", "3.0", "4", "2", "2.5"),
        ("still", "`color`", "1.0", "0.0", "none left", "0.5", "0.25"),
    ]
