"""VGG-19 with the layers of Gatys, Ecker & Bethge, CVPR 2016: what the literature compares pictures by.

The network (Simonyan & Zisserman, arXiv 1409.1556) is torchvision's of that name with its `IMAGENET1K_V1` weights,
built here as the plain chain that it is, so that painting takes no torchvision. The weights, 548 MiB, are not shipped;
they are fetched once, by `stylizer fetch vgg19`, and never while something is painted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from stylizer.errors import MissingWeights
from stylizer.features import weights_file
from stylizer.features.compact import RGB_MEAN, RGB_STD
from stylizer.features.weights_file import OnBytes, WeightsFile
from stylizer.features.zoo import torchvision_models

# torchvision puts the first eight digits of the hash into the name and checks no more; the whole of it is what several
# independent projects have on record for that file.
WEIGHTS = WeightsFile("vgg19", "vgg19-dcbb9e9d.pth", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44")
# Output channels of the 3x3 convolutions, up to the last one needed; between two stages, pooling.
STAGES = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
# Indices in torchvision's `features` of the tapped layers, fine to coarse.
TAPS = {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu4_2": 22, "relu5_1": 29}
STYLE_TAPS = {tap: 1.0 for tap, layer in enumerate(TAPS) if layer != "relu4_2"}
CONTENT_TAP = list(TAPS).index("relu4_2")


class Vgg19Features(nn.Module):
    """The network as far as its last tap, frozen, float32, channels last."""

    style_taps = STYLE_TAPS
    strides = (1, 2, 4, 8, 8, 16)
    reach = 80  # the deepest feature sees 156 pixels at once

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Build it from a state dict of torchvision's `vgg19`; layers beyond the last tap may be missing."""
        super().__init__()
        with torch.device("meta"):  # no time spent, and no random numbers drawn, for weights that are replaced at once
            self.features = _chain()
        self.load_state_dict({key: weights[key] for key in self.state_dict()}, assign=True)
        self.rgb_mean = nn.Buffer(torch.tensor(RGB_MEAN, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.rgb_std = nn.Buffer(torch.tensor(RGB_STD, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `image` (B, 3, H, W), sRGB in [0, 1], H and W >= 16: one (B, C, h, w) for each of `TAPS`."""
        x = (image - self.rgb_mean) / self.rgb_std
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS.values():
                taps.append(x)
        return taps

    def content(self, taps: list[Tensor]) -> list[Tensor]:
        """relu4_2 alone."""
        return [taps[CONTENT_TAP]]


def _chain() -> nn.Sequential:
    """Convolutions, ReLUs and poolings, numbered as torchvision numbers them."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in STAGES:
        if layers:
            layers.append(nn.MaxPool2d(2))
        for width in stage:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return nn.Sequential(*layers)


def load() -> Vgg19Features:
    """The network with the weights on this machine.

    Raises:
        MissingWeights: There are none, or not the right ones; the message says how to fetch them.
    """
    with torch.device("meta"):
        wanted = [f"features.{key}" for key in _chain().state_dict()]
    return Vgg19Features(weights_file.read(WEIGHTS, wanted))


def fetch(folder: Path | None, on_bytes: OnBytes) -> tuple[Path, bool]:
    """See to it that the weights are on this machine.

    Args:
        folder: Where to put them; None for the first place in which `load` looks.
        on_bytes: Called while they are downloaded.

    Returns:
        Where they are, and whether they had to be downloaded.

    Raises:
        MissingWeights: They cannot be had; the message says why.
    """
    wanted = weights_file.folders() if folder is None else [folder]
    if present := weights_file.find(WEIGHTS, wanted):
        return present, False
    return weights_file.download(WEIGHTS, address(), wanted[0], on_bytes), True


def address() -> str:
    """Where torchvision publishes the weights."""
    try:
        return str(torchvision_models().VGG19_Weights.IMAGENET1K_V1.url)
    except ModuleNotFoundError as error:
        detail = (
            "torchvision knows where to fetch vgg19 from, and is not installed: pip install 'image-stylizer[vgg19]'"
        )
        raise MissingWeights(detail, field="features") from error
