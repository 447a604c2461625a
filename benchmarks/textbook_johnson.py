"""Textbook Johnson, Alahi & Fei-Fei 2016: float32, the whole image at once. The baseline of method feedforward.

"Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (arXiv 1603.08155), with later standard changes:
instance normalization (Ulyanov et al. 2016, arXiv 1607.08022), and nearest-neighbor upsampling before a convolution
instead of transposed convolutions. Each model is trained for one style. The weights are random: their values do not
affect the cost.
"""

from __future__ import annotations

import time
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor, nn

from stylizer.capabilities import long_side_to
from stylizer.tensors import to_image, to_tensor

# Output channels of the two strided convolutions; reversed for the two after the upsamplings.
WIDTHS = (32, 64, 128)
RESIDUAL_BLOCKS = 5


class Convolution(nn.Sequential):
    """A convolution with reflection padding, followed by instance normalization except in the last layer."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, *, normalized: bool = True) -> None:
        super().__init__(nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, stride))
        if normalized:
            self.append(nn.InstanceNorm2d(outputs, affine=True))


class Residual(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(channels, channels, 3), Convolution(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (1, C, h, w) to features of the same shape."""
        changed: Tensor = self.second(torch.relu(self.first(x)))
        return x + changed


def transformer_net() -> nn.Sequential:
    """Return the network from an image (1, 3, H, W) to its painting, whose sides are multiples of 4.

    It has 1.68 million parameters.
    """
    one, two, four = WIDTHS
    return nn.Sequential(
        *(Convolution(3, one, 9), nn.ReLU()),
        *(Convolution(one, two, 3, stride=2), nn.ReLU()),
        *(Convolution(two, four, 3, stride=2), nn.ReLU()),
        *(Residual(four) for _ in range(RESIDUAL_BLOCKS)),
        *(nn.Upsample(scale_factor=2, mode="nearest"), Convolution(four, two, 3), nn.ReLU()),
        *(nn.Upsample(scale_factor=2, mode="nearest"), Convolution(two, one, 3), nn.ReLU()),
        Convolution(one, 3, 9, normalized=False),
    )


def measure_textbook(photo: str, size: int) -> tuple[float, float]:
    """Time the second painting of the file `photo` at a long side of `size` pixels.

    Returns:
        Seconds from the file to a JPEG in memory, and of these in the network.
    """
    torch.manual_seed(0)
    network = transformer_net().requires_grad_(False).eval()
    with torch.inference_mode():
        _paint(network, photo, size)
        return _paint(network, photo, size)


def _paint(network: nn.Sequential, photo: str, size: int) -> tuple[float, float]:
    began = time.perf_counter()
    with Image.open(photo) as file:
        picture = file.convert("RGB")
    tensor = to_tensor(picture.resize(long_side_to(size, *picture.size), Image.Resampling.LANCZOS))
    passing = time.perf_counter()
    painted = network(tensor)
    passed = time.perf_counter()
    to_image(painted).save(BytesIO(), "JPEG", quality=90)
    return time.perf_counter() - began, passed - passing
