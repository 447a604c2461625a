"""docs/api.md is as true of a stage on AWS: keys, forms and links of S3, paths below the stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reader import ROOT, Reader

if TYPE_CHECKING:
    from .conftest import World


def test_the_walk_through_the_api_does_the_same_on_aws(world: World, tmp_path: Path) -> None:
    reader = Reader(tmp_path, str(world.ann.base_url).split("//")[1].rstrip("/"))
    with world.painting():
        said = reader.walks((ROOT / "docs/api.md").read_text(), key="key-of-ann")

    assert all(reader.shows(name) for name in ("woodcut.webp", "painted.jpg", "preview.jpg", "mosaic.jpg", "blend.png"))
    assert said["Add your own style"] == "succeeded"
    assert "idempotency-replayed: true" in said["Retry safely with an idempotency key"]
    assert said["Cancel and delete"].splitlines() == ["canceled", "expired", "204", "204"]
