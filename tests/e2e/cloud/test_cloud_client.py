"""The client and the command line against the functions on AWS: forms and links of S3, and API keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from waiting import PATIENCE

from stylizer_cli.main import run
from stylizer_client import Client, NotAllowed, NotFound

if TYPE_CHECKING:
    from .conftest import World


def test_client_uploads_a_photo_and_downloads_the_painting(world: World, photo: bytes, tmp_path: Path) -> None:
    address = str(world.ann.base_url)
    with Client(address, key="key-of-ann") as ann, Client(address, key="key-of-ben") as ben:
        style = ann.add_style("Mine", photo)
        job = ann.stylize(photo, [("woodcut", 2), (style, 1)], size=96, quality="draft", format="png")
        progress: list[float] = []
        with world.painting():
            done = ann.wait(job, on_progress=lambda job: progress.append(job.progress), timeout=PATIENCE)
        ann.download(done, tmp_path / "painted.png")

        assert progress[-1] == 1.0
        with Image.open(tmp_path / "painted.png") as painted:
            assert (painted.format, painted.size) == ("PNG", (96, 72))
        assert [found.id for found in ann.jobs()] == [job.id]
        assert ann.styles()[-1].id == style.id
        with pytest.raises(NotFound):
            ben.job(job.id)
    with Client(address) as stranger, pytest.raises(NotAllowed) as caught:
        stranger.styles()
    assert (caught.value.code, caught.value.field) == ("missing-api-key", "X-Api-Key")


def test_command_line_paints_a_batch_on_aws(
    world: World, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "dog.jpg"):
        Path(name).write_bytes(photo)
    command = ["paint", "cat.jpg", "dog.jpg", "--style", "mosaic", "--size", "64", "--quality", "draft", "--to", "out"]
    command += ["--api", str(world.ann.base_url)]
    assert run(command) == 1
    error = "stylizer: error: this call requires an API key (set --key or STYLIZER_KEY)\n"
    assert capfd.readouterr().err == error

    monkeypatch.setenv("STYLIZER_KEY", "key-of-ann")
    with world.painting():
        assert run(command) == 0, capfd.readouterr().err
    # The functions log to the same stream from threads of their own, so lines may be interleaved.
    printed = re.findall(r"out/\w+-mosaic\.jpg", capfd.readouterr().out)
    assert sorted(printed) == ["out/cat-mosaic.jpg", "out/dog-mosaic.jpg"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["cat-mosaic.jpg", "dog-mosaic.jpg"]
