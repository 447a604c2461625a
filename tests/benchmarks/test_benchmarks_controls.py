from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import controls
from stylizer.capabilities import METHODS, STROKE_METHODS
from stylizer.options import MethodName, Options

METHODS_MD = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
PHOTO = Image.linear_gradient("L").resize((96, 64)).convert("RGB")


@pytest.mark.parametrize("method", STROKE_METHODS)
def test_every_control_that_a_method_honors_has_a_row(method: MethodName) -> None:
    rows = [row.control for row in controls.rows(method, PHOTO)]
    masks = ["mask", "content_mask"] if METHODS[method].takes_content_mask else ["mask"]
    not_to_be_seen = {"size", "seed", "features", "keep_metadata"}
    options = {field.name for field in fields(Options)} - not_to_be_seen
    assert sorted(rows) == sorted([*options, *masks, "styles"])


@pytest.mark.parametrize("method", STROKE_METHODS)
def test_controls_sheet_is_in_methods_md_with_alt_text(method: MethodName) -> None:
    sheet = controls.target(method)
    assert re.search(rf"!\[[^]]{{60,}}\]\(pictures/{sheet.name}\)", METHODS_MD)
    assert sheet.stat().st_size < 250_000
    with Image.open(sheet) as picture:
        assert picture.width > 5 * controls.CELL[0]
