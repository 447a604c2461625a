"""Content mask: a map of where a photo must stay recognizable, from edges, saliency and skin color."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylizer.color import to_oklab
from stylizer.synthesis.pyramid import gaussian_blur

SKIN = 0.3  # weight of skin color in the map
WORKING_SIDE = 320  # long side in pixels at which the map is estimated; it is smooth, so upsampling it loses nothing


def estimate_content_mask(photo: Tensor) -> Tensor:
    """Estimate the importance of each pixel of `photo` (3, H, W) for recognition: (1, H, W), 0 (free) to 1 (keep).

    Elad & Milanfar use a segmentation (section III-C). This estimate needs none: edges at two scales, frequency-tuned
    saliency (Achanta et al. 2009) with a mild center prior, and skin color (Chai & Ngan 1999), since faces have few
    edges but must stay recognizable.
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
    """Return the edge strength, (1, H, W), 0-1.5, normalized by the local density of edges to suppress texture."""
    strength = torch.zeros_like(lab[:1])
    for sigma in (1.0, 2.5):
        smooth = gaussian_blur(lab, sigma)
        down, across = torch.gradient(smooth, dim=(1, 2))
        magnitude = (down.square() + across.square()).sum(0, keepdim=True).sqrt()
        strength = torch.maximum(strength, sigma * magnitude)
    # An isolated edge matters more than one in foliage.
    density = gaussian_blur(strength, 12.0)
    strength = strength / (strength + density + 0.02)
    return gaussian_blur(strength, 2.0).clamp_(0, 1) * 1.5


def _skin(image: Tensor) -> Tensor:
    """Return a soft mask of skin colors in `image` (3, H, W), sRGB in [0, 1]: (1, H, W), 0-1.

    Skin tones vary in luma much more than in chroma. The bounds on 8-bit Cb and Cr are those of Chai & Ngan, "Face
    Segmentation Using Skin-Color Map in Videophone Applications", 1999.
    """
    red, green, blue = image[0:1], image[1:2], image[2:3]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = 128 + 255 * 0.564 * (blue - luma), 128 + 255 * 0.713 * (red - luma)
    skin = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173) & (luma > 0.15)
    return gaussian_blur(skin.to(image.dtype), 3.0)


def _saliency(lab: Tensor) -> Tensor:
    """Return the distance of each pixel from the mean color, (1, H, W), 0-1, weighted by a center prior."""
    height, width = lab.shape[-2:]
    distance = (gaussian_blur(lab, 4.0) - lab.mean(dim=(1, 2), keepdim=True)).square().sum(0, keepdim=True).sqrt()
    down = torch.linspace(-1, 1, height, dtype=lab.dtype, device=lab.device).view(1, -1, 1)
    across = torch.linspace(-1, 1, width, dtype=lab.dtype, device=lab.device).view(1, 1, -1)
    middle = torch.exp(-(down.square() + across.square()) / 1.2)
    weighted = distance * (0.4 + 0.6 * middle)
    return (weighted / weighted.max().clamp(min=0.05)).clamp_(0, 1)
