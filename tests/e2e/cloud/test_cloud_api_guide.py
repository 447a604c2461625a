"""docs/api.md is as true of a stage on AWS: keys, forms and links of S3, paths below the stage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reader import ROOT, Reader

if TYPE_CHECKING:
    from .conftest import World


def test_api_guide_examples_work_on_aws(world: World, tmp_path: Path) -> None:
    reader = Reader(tmp_path, str(world.ann.base_url).split("//")[1].rstrip("/"))
    # Small paintings: a slow machine must finish them in the 20 seconds that `Prefer: wait` has here.
    guide = re.sub(r'(size(?:=|\\": ))\d{3}\b', r"\g<1>96", (ROOT / "docs/api.md").read_text())
    with world.painting():
        said = reader.walks(guide, key="key-of-ann")

    assert all(reader.shows(name) for name in ("woodcut.webp", "painted.jpg", "preview.jpg", "mosaic.jpg", "blend.png"))
    assert said["Add your own style"] == "succeeded"
    assert "idempotency-replayed: true" in said["Retry safely with an idempotency key"]
    assert said["Cancel and delete"].splitlines() == ["canceled", "expired", "204", "204"]
