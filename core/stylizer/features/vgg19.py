"""VGG-19 with the layers of Gatys, Ecker & Bethge, CVPR 2016: the reference features of the literature.

The network (Simonyan & Zisserman, arXiv 1409.1556) is torchvision's `vgg19` with its `IMAGENET1K_V1` weights, rebuilt
as a plain sequence so that painting does not need torchvision. The weights (548 MiB) are not shipped; `stylizer fetch
vgg19` downloads them once, and painting never does.
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

# torchvision checks only the first eight digits of the hash, which are part of the name; the full hash is the one that
# several independent projects record for that file.
WEIGHTS = WeightsFile("vgg19", "vgg19-dcbb9e9d.pth", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44")
# Output channels of the 3x3 convolutions, up to the last tap; stages are separated by pooling.
STAGES = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
# Indices in torchvision's `features` of the tapped layers, fine to coarse.
TAPS = {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu4_2": 22, "relu5_1": 29}
STYLE_TAPS = {tap: 1.0 for tap, layer in enumerate(TAPS) if layer != "relu4_2"}
CONTENT_TAP = list(TAPS).index("relu4_2")


class Vgg19Features(nn.Module):
    """The network up to its last tap: frozen, float32, channels last."""

    style_taps = STYLE_TAPS
    strides = (1, 2, 4, 8, 8, 16)
    reach = 80  # the deepest receptive field is 156 pixels wide

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Build the network from a state dict of torchvision's `vgg19`; layers beyond the last tap are optional."""
        super().__init__()
        with torch.device("meta"):  # allocates nothing and draws no random numbers for weights that are replaced
            self.features = _chain()
        self.load_state_dict({key: weights[key] for key in self.state_dict()}, assign=True)
        self.rgb_mean = nn.Buffer(torch.tensor(RGB_MEAN, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.rgb_std = nn.Buffer(torch.tensor(RGB_STD, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode `image` (B, 3, H, W), sRGB in [0, 1], H and W >= 16: (B, C, h, w) for each of `TAPS`."""
        x = (image - self.rgb_mean) / self.rgb_std
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS.values():
                taps.append(x)
        return taps

    def content(self, taps: list[Tensor]) -> list[Tensor]:
        """Return relu4_2, the only content feature."""
        return [taps[CONTENT_TAP]]


def _chain() -> nn.Sequential:
    """Build convolutions, ReLUs and poolings, numbered as in torchvision."""
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
    """Load the network with the installed weights.

    Raises:
        MissingWeights: They are missing or have the wrong hash; the message says how to fetch them.
    """
    with torch.device("meta"):
        keys = [f"features.{key}" for key in _chain().state_dict()]
    return Vgg19Features(weights_file.read(WEIGHTS, keys))


def fetch(folder: Path | None, on_bytes: OnBytes) -> tuple[Path, bool]:
    """Download the weights unless they are installed.

    Args:
        folder: Destination; by default the first folder that `load` searches.
        on_bytes: Progress callback of the download.

    Returns:
        Path of the weights, and whether they were downloaded.

    Raises:
        MissingWeights: The download failed; the message says why.
    """
    folders = weights_file.folders() if folder is None else [folder]
    if present := weights_file.find(WEIGHTS, folders):
        return present, False
    return weights_file.download(WEIGHTS, address(), folders[0], on_bytes), True


def address() -> str:
    """Return the URL at which torchvision publishes the weights."""
    try:
        return str(torchvision_models().VGG19_Weights.IMAGENET1K_V1.url)
    except ModuleNotFoundError as error:
        detail = (
            "torchvision knows where to fetch vgg19 from, and is not installed: pip install 'image-stylizer[vgg19]'"
        )
        raise MissingWeights(detail, field="features") from error
