"""Where a photo must stay recognizable: a map of its edges and of what stands out in it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import to_oklab
from stylizer.synthesis.pyramid import gaussian_blur

SKIN = 0.5
WORKING_SIDE = 320  # the map is soft: it is found on a picture of this long side, and enlarged


def find_content(photo: Tensor) -> Tensor:
    """How much each pixel of `photo` (3, H, W) matters for recognizing it: (1, H, W), 0 (free) to 1 (keep).

    The paper leaves this map to a segmentation (section III-C); here it is made of what the photo tells by itself:
    edges at two scales, color that is rare in the picture (frequency-tuned saliency, Achanta et al. 2009), a little
    more so toward the middle, and the color of skin (Chai & Ngan 1999), since a face has few edges but must be known.
    """
    height, width = photo.shape[-2:]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = (max(8, round(height * scale)), max(8, round(width * scale)))
    reduced = functional.interpolate(photo[None], small, mode="bilinear", antialias=True)[0]
    lab = to_oklab(reduced)
    importance = (0.65 * _edges(lab) + 0.5 * _saliency(lab) + SKIN * _skin(reduced)).clamp_(0, 1)
    soft = gaussian_blur(importance, 1.5)[None]
    return functional.interpolate(soft, (height, width), mode="bilinear", align_corners=False)[0].clamp_(0, 1)


def _edges(lab: Tensor) -> Tensor:
    """Edge strength (1, H, W), 0-1: relative to the strongest edges of the picture, dense texture held back."""
    strength = torch.zeros_like(lab[:1])
    for sigma in (1.0, 2.5):
        smooth = gaussian_blur(lab, sigma)
        down, across = torch.gradient(smooth, dim=(1, 2))
        magnitude = (down.square() + across.square()).sum(0, keepdim=True).sqrt()
        strength = torch.maximum(strength, sigma * magnitude)
    # An edge that stands alone matters more than one of a thousand leaves.
    crowd = gaussian_blur(strength, 12.0)
    strength = strength / (strength + crowd + 0.02)
    return gaussian_blur(strength, 2.0).clamp_(0, 1) * 1.5


def _skin(image: Tensor) -> Tensor:
    """Where `image` (3, H, W), sRGB in [0, 1], has the color of skin, light or dark: (1, H, W), 0-1.

    Skin of all people is alike in chroma and differs in brightness: Chai & Ngan, "Face Segmentation Using Skin-Color
    Map in Videophone Applications", 1999, whose bounds in Cb and Cr (of 8 bits) these are.
    """
    red, green, blue = image[0:1], image[1:2], image[2:3]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = 128 + 255 * 0.564 * (blue - luma), 128 + 255 * 0.713 * (red - luma)
    skin = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173) & (luma > 0.15)
    return gaussian_blur(skin.to(image.dtype), 3.0)


def _saliency(lab: Tensor) -> Tensor:
    """How far the color of each place lies from the picture's mean color (1, H, W), 0-1, weighted to the middle."""
    height, width = lab.shape[-2:]
    distance = (gaussian_blur(lab, 4.0) - lab.mean(dim=(1, 2), keepdim=True)).square().sum(0, keepdim=True).sqrt()
    down = torch.linspace(-1, 1, height, dtype=lab.dtype, device=lab.device).view(1, -1, 1)
    across = torch.linspace(-1, 1, width, dtype=lab.dtype, device=lab.device).view(1, 1, -1)
    middle = torch.exp(-(down.square() + across.square()) / 1.2)
    weighted = distance * (0.4 + 0.6 * middle)
    return (weighted / weighted.max().clamp(min=0.05)).clamp_(0, 1)
