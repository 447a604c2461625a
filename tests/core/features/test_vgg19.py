from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from stylizer import features, stylize
from stylizer.errors import MissingWeights
from stylizer.features import vgg19, weights_file
from stylizer.features.vgg19 import TAPS, Vgg19Features
from stylizer.features.zoo import torchvision_models
from stylizer.methods import optimization
from stylizer.options import Options
from stylizer_cli import main as cli

NAME = vgg19.WEIGHTS.name
SMALL = Options(size=96, features="vgg19", quality="draft")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Random weights as far as the last tap, and a layer beyond it, as the published file has them."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    with torch.device("meta"):
        chain = vgg19._chain().state_dict()
    for key, value in chain.items():
        spread = (2 / value[0].numel()) ** 0.5 if value.dim() > 1 else 0.1
        state[f"features.{key}"] = spread * torch.randn(value.shape, generator=generator)
    return {**state, "classifier.6.bias": torch.zeros(1000)}


@pytest.fixture(scope="module")
def file(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They as a file in the format of the published one, which is older than torch 1.6."""
    path = tmp_path_factory.mktemp("published") / NAME
    torch.save(weights, path, _use_new_zipfile_serialization=False)  # noqa: TID251 - as published
    return path


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder STYLIZER_WEIGHTS names, beside an empty cache of torch's: no real files are read."""
    features.load.cache_clear()
    folder = tmp_path / "own"
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(weights_file.FOLDER_VARIABLE, str(folder))
    yield folder
    features.load.cache_clear()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where torch keeps what it downloads."""
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def expected(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the random file be the right one."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(vgg19, "WEIGHTS", replace(vgg19.WEIGHTS, sha256=digest))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder behind HTTP, from which the weights are fetched in torchvision's place."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setattr(vgg19, "address", lambda: f"http://127.0.0.1:{server.server_port}/{NAME}")
        yield folder
        server.shutdown()
        thread.join()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Bytes that pass for the published file where it is not opened."""
    data = bytes(range(256)) * 9000
    monkeypatch.setattr(vgg19, "WEIGHTS", replace(vgg19.WEIGHTS, sha256=hashlib.sha256(data).hexdigest()))
    return data


def photo() -> Image.Image:
    return Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60).convert("RGB")


def test_the_taps_are_those_of_torchvisions_network(weights: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        theirs = torchvision_models().vgg19(weights=None).features[: max(TAPS.values()) + 1].eval()
    theirs.load_state_dict({key: weights[f"features.{key}"] for key in theirs.state_dict()}, assign=True)
    image = torch.rand(1, 3, 50, 67, generator=torch.Generator().manual_seed(1))
    x = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    wanted = []
    with torch.no_grad():
        for index, layer in enumerate(theirs):
            x = layer(x)
            if index in TAPS.values():
                wanted.append(x.clone())  # the next layer may work in place
    for tap, want in zip(Vgg19Features(weights)(image), wanted, strict=True):
        torch.testing.assert_close(tap, want, rtol=1e-4, atol=1e-4)


def test_the_layers_are_gatys_own(weights: dict[str, Tensor]) -> None:
    network = Vgg19Features(weights)
    names = list(TAPS)
    assert [names[tap] for tap in network.style_taps] == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    taps = [torch.rand(1, 1, 1, 1) for _ in names]
    assert [names[taps.index(content)] for content in network.content(taps)] == ["relu4_2"]
    shapes = [tuple(tap.shape[1:]) for tap in network(torch.zeros(1, 3, network.strides[-1], 40))]
    assert shapes == [(64, 16, 40), (128, 8, 20), (256, 4, 10), (512, 2, 5), (512, 2, 5), (512, 1, 2)]
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.usefixtures("expected")
def test_weights_are_found_in_named_folder_and_torch_cache(
    file: Path, own: Path, cache: Path, weights: dict[str, Tensor]
) -> None:
    own.mkdir()
    for folder in (own, cache):
        (folder / NAME).symlink_to(file)
        features.load.cache_clear()
        loaded = features.load("vgg19")
        assert isinstance(loaded, Vgg19Features)
        for key, value in loaded.state_dict().items():
            assert torch.equal(value, weights[key])
        (folder / NAME).unlink()


@pytest.mark.usefixtures("expected")
def test_a_broken_copy_does_not_hide_an_intact_one(file: Path, own: Path, cache: Path) -> None:
    own.mkdir()
    (own / NAME).write_bytes(file.read_bytes()[:-1])
    (cache / NAME).symlink_to(file)
    features.load("vgg19")


@pytest.mark.usefixtures("expected")
def test_a_painting_by_vgg19_says_so(
    file: Path, own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(optimization.STEPS, "draft", (6, 6, 6, 6, 6))  # a step of this network takes long
    own.mkdir()
    (own / NAME).symlink_to(file)
    strip = photo().crop((0, 20, 96, 44))
    strip.save(tmp_path / "cat.png")
    arguments = ["--method", "optimization", "--features", "vgg19", "--size", "96", "--quality", "draft"]
    code = cli.run(["paint", str(tmp_path / "cat.png"), "-s", "woodcut", "-o", str(tmp_path / "a.png"), *arguments])
    stderr = capfd.readouterr().err
    assert code == 0, stderr
    assert re.fullmatch(r"painted 96 x 24 pixels in [0-9.]+ s \(vgg19 features\)\n", stderr)
    painted = np.asarray(Image.open(tmp_path / "a.png"), float)
    assert np.abs(painted - np.asarray(strip, float)).mean() > 2


@pytest.mark.parametrize("content", [None, b"PK\x03\x04 something else"])
def test_missing_weights_error_names_the_fetch_command(
    own: Path, cache: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("it must not be read, nor anything fetched")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    if content is not None:
        (cache / NAME).write_bytes(content)
    with pytest.raises(MissingWeights) as caught:
        stylize(photo(), "woodcut", method="optimization", options=SMALL, on_progress=refuse)
    assert (caught.value.field, caught.value.allowed) == ("features", ["compact"])
    for words in (str(own / NAME), str(cache / NAME), "stylizer fetch vgg19"):
        assert words in caught.value.detail
    assert (vgg19.WEIGHTS.sha256 in caught.value.detail) == (content is not None)


def test_the_file_that_is_expected_is_the_one_torchvision_names() -> None:
    published = torchvision_models().VGG19_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    assert published == vgg19.WEIGHTS.name
    assert vgg19.WEIGHTS.sha256.startswith(Path(published).stem.partition("-")[2])
    assert vgg19.address().endswith(published)


def test_fetch_replaces_a_broken_copy_and_keeps_an_intact_one(
    served: Path, fake: bytes, own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own.mkdir()
    (own / NAME).write_bytes(fake[:-1])
    (served / NAME).write_bytes(fake)
    assert cli.run(["fetch", "vgg19"]) == 0
    assert capfd.readouterr() == (f"{own / NAME}\n", "vgg19 fetched\n")
    assert [path.name for path in own.iterdir()] == [NAME]
    assert (own / NAME).read_bytes() == fake
    (served / NAME).unlink()
    assert cli.run(["fetch", "vgg19"]) == 0
    assert capfd.readouterr() == (f"{own / NAME}\n", "vgg19 already exists and is intact\n")


def test_fetch_creates_the_chosen_folder_and_names_its_variable(
    served: Path, fake: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (served / NAME).write_bytes(fake)
    chosen = tmp_path / "a" / "b"
    assert cli.run(["fetch", "vgg19", "--to", str(chosen)]) == 0
    assert capfd.readouterr().err == f"vgg19 fetched; to paint with it, set STYLIZER_WEIGHTS={chosen}\n"
    monkeypatch.setenv("STYLIZER_WEIGHTS", str(chosen))
    assert weights_file.find(vgg19.WEIGHTS, weights_file.folders()) == chosen / NAME


@pytest.mark.parametrize("answer", ["nothing", "something else", "a part"])
def test_what_is_not_the_file_is_one_line_and_leaves_no_trace(
    served: Path, fake: bytes, own: Path, answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if answer != "nothing":
        (served / NAME).write_bytes(b"<html>Sign in" if answer == "something else" else fake[:-1])
    assert cli.run(["fetch", "vgg19"]) == 1
    stdout, stderr = capfd.readouterr()
    assert stdout == ""
    assert stderr.startswith("stylizer: error: ")
    assert ("File not found" if answer == "nothing" else "its SHA-256 is") in stderr
    assert stderr.count("\n") == 1
    assert list(own.iterdir()) == []


def test_a_server_that_falls_silent_is_given_up(
    own: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_file, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and never answered
        monkeypatch.setattr(vgg19, "address", lambda: f"http://127.0.0.1:{silent.getsockname()[1]}/{NAME}")
        assert cli.run(["fetch", "vgg19"]) == 1
    assert "timed out" in capfd.readouterr().err
    assert list(own.iterdir()) == []


def test_fetch_offline_or_without_torchvision_names_the_cause(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with monkeypatch.context() as patch:
        patch.setattr(vgg19, "address", lambda: f"http://127.0.0.1:{port}/{NAME}")
        assert cli.run(["fetch", "vgg19"]) == 1
    stderr = capfd.readouterr().err
    assert "Connection refused" in stderr
    assert stderr.count("\n") == 1

    def absent() -> NoReturn:
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")

    monkeypatch.setattr(vgg19, "torchvision_models", absent)
    assert cli.run(["fetch", "vgg19"]) == 1
    stderr = capfd.readouterr().err
    assert "pip install 'image-stylizer[vgg19]'" in stderr
    assert stderr.count("\n") == 1


def test_only_what_does_not_ship_can_be_fetched(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fetch", "compact"]) == 2
    assert capfd.readouterr().err == "stylizer: error: what is 'compact'; it must be one of vgg19\n"
