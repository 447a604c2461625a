"""Conversion between Pillow images and torch tensors, and elementary operations on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

Bytes = npt.NDArray[np.uint8]

CPU = torch.device("cpu")


def to_tensor(image: Image.Image, device: torch.device = CPU) -> Tensor:
    """Convert an 8-bit image, "RGB" or "L", to float32 (1, 3 or 1, H, W) in [0, 1], on `device`."""
    pixels = torch.from_numpy(np.array(image))
    channels_first = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    # Permuted and moved as uint8: in float32 a large picture would need four times the memory, twice.
    return channels_first[None].contiguous().to(device).to(torch.float32).div_(255)


def to_image(tensor: Tensor) -> Image.Image:
    """Convert a tensor (1, 3, H, W) in [0, 1] to an 8-bit "RGB" image, rounded to the nearest value."""
    pixels = tensor[0].permute(1, 2, 0).clamp(0, 1).mul(255).round_().to(torch.uint8)
    return Image.fromarray(pixels.cpu().numpy())


def pixels_to_tensor(pixels: Bytes) -> Tensor:
    """Convert 8-bit pixels (H, W, 3) to uint8 (1, 3, H, W)."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].contiguous()


def tensor_to_pixels(tensor: Tensor) -> Bytes:
    """Convert uint8 (1, 3, H, W) to 8-bit pixels (H, W, 3)."""
    pixels: Bytes = tensor[0].permute(1, 2, 0).contiguous().numpy()
    return pixels


def as_floats(picture: Tensor) -> Tensor:
    """Convert `picture` to float32 in [0, 1] if it is uint8; otherwise return it unchanged."""
    return picture.to(torch.float32).div_(255) if picture.dtype == torch.uint8 else picture


def float_copy(picture: Tensor) -> Tensor:
    """Copy `picture`, float in [0, 1] or uint8, to float32 in [0, 1]."""
    copy = picture.to(torch.float32, copy=True)
    return copy.div_(255) if picture.dtype == torch.uint8 else copy


def as_bytes(picture: Tensor) -> Tensor:
    """Convert `picture` to uint8, rounded to the nearest value, unless it is uint8 already."""
    return picture if picture.dtype == torch.uint8 else picture.clamp(0, 1).mul_(255).round_().to(torch.uint8)


def linear_ramp(values: Tensor, low: float, high: float) -> Tensor:
    """Map `values` to [0, 1] linearly: 0 up to `low`, 1 from `high` on."""
    return ((values - low) / (high - low)).clamp(0, 1)


def spatial_size(image: Tensor) -> tuple[int, int]:
    """Return the height and width of `image` (N, C, H, W)."""
    return image.shape[2], image.shape[3]


def reflect_pad(image: Tensor, margin: int) -> Tensor:
    """Pad `image` (N, C, H, W) by `margin` pixels: by reflection, or by replication if it is too small."""
    mode = "reflect" if min(spatial_size(image)) > margin else "replicate"
    return functional.pad(image, (margin,) * 4, mode=mode)
