"""Between Pillow's pictures and torch's tensors."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CPU = torch.device("cpu")


def to_tensor(image: Image.Image, device: torch.device = CPU) -> Tensor:
    """An 8-bit picture, "RGB" or "L", as float32 (1, 3 or 1, H, W) in [0, 1], on `device`."""
    pixels = torch.from_numpy(np.array(image))
    channels_first = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    # Rearranged (and moved) as bytes: floats take four times the memory, and a large picture would be there twice.
    return channels_first[None].contiguous().to(device).to(torch.float32).div_(255)


def to_image(tensor: Tensor) -> Image.Image:
    """A tensor (1, 3, H, W) in [0, 1] as an 8-bit "RGB" picture, rounded to the nearest value."""
    pixels = tensor[0].permute(1, 2, 0).clamp(0, 1).mul(255).round_().to(torch.uint8)
    return Image.fromarray(pixels.cpu().numpy())


def as_floats(picture: Tensor) -> Tensor:
    """`picture` in [0, 1], if it is in bytes."""
    return picture.to(torch.float32).div_(255) if picture.dtype == torch.uint8 else picture


def float_copy(picture: Tensor) -> Tensor:
    """Copy `picture`, in [0, 1] or in bytes, to float32 in [0, 1]."""
    copy = picture.to(torch.float32, copy=True)
    return copy.div_(255) if picture.dtype == torch.uint8 else copy


def as_bytes(picture: Tensor) -> Tensor:
    """`picture` in 0-255, rounded to the nearest value, if it is in floats."""
    return picture if picture.dtype == torch.uint8 else picture.clamp(0, 1).mul_(255).round_().to(torch.uint8)
