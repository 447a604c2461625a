from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from training.teachers import SQUEEZENET_OFFSET, Layer, Teacher, Teachers, load_compressed_vgg

VGG_WIDTHS = {"11": (3, 4), "12": (4, 4), "21": (4, 6), "22": (6, 6), "31": (6, 8)}
VGG_WIDTHS |= {"32": (8, 8), "33": (8, 8), "34": (8, 8), "41": (8, 10)}


@pytest.fixture
def teachers() -> Teachers:
    """Two small random networks of the teachers' build: one that pads, one that does not and sits elsewhere."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        padded = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        bare = nn.Sequential(
            nn.Conv2d(3, 8, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(8, 10, 3, padding=1),
            nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(10, 14, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        for chain in (padded, bare):
            for module in chain:
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight)
    return Teachers(
        (
            Teacher(padded, (Layer("relu1_1", 1, 8, 0), Layer("relu2_1", 4, 12, 1), Layer("relu3_1", 7, 16, 2))),
            Teacher(bare, (Layer("fire3", 4, 10, 2), Layer("fire5", 7, 14, 3)), SQUEEZENET_OFFSET),
        )
    )


@pytest.fixture
def compressed_vgg_folder(tmp_path: Path) -> Path:
    """A folder with a compressed VGG-19 of random weights, narrower than the real one."""
    random = torch.Generator().manual_seed(0)
    state = {"conv0.weight": torch.randn(3, 3, 1, 1, generator=random), "conv0.bias": torch.randn(3, generator=random)}
    for name, (inputs, outputs) in VGG_WIDTHS.items():
        weight = torch.randn(outputs, inputs, 3, 3, generator=random) * (2 / (9 * inputs)) ** 0.5
        state |= {f"conv{name}.weight": weight, f"conv{name}.bias": torch.randn(outputs, generator=random) / 4}
    save_file(state, tmp_path / "compressed_vgg19_of_somewhere.safetensors")
    return tmp_path


@pytest.fixture
def compressed_vgg(compressed_vgg_folder: Path) -> Teachers:
    return load_compressed_vgg(compressed_vgg_folder)


@pytest.fixture
def draw() -> Callable[[int], Tensor]:
    """Batches of four pictures of 48 x 48, smooth enough to have something to learn."""

    def batch(step: int) -> Tensor:
        noise = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(step))
        return nn.functional.interpolate(noise, (48, 48), mode="bicubic").clamp(0, 1)

    return batch


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of photographs and one of artworks, 60 small files each: enough that some are held out."""
    random = torch.Generator().manual_seed(0)
    for folder in ("content", "style"):
        (tmp_path / folder).mkdir()
        for index in range(60):
            pixels = torch.randint(256, (6, 8, 3), dtype=torch.uint8, generator=random).numpy()
            picture = Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)
            picture.save(tmp_path / folder / f"{'abc'[index % 3]}_{index:04}.png")
    return tmp_path / "content", tmp_path / "style"
