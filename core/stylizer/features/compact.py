"""The compact encoder: perceptual features shipped with the project, distilled from VGG-19 and SqueezeNet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).parents[1] / "weights" / "compact_encoder.safetensors"
STRIDES = (1, 2, 4, 8)
CHANNELS = (32, 96, 128, 256)
# Output channels of the 3x3 convolutions of each stage. The last stage is the deepest: SqueezeNet's fire8 has a
# receptive field of 107 pixels, and depth at stride 8 is the cheapest way to match it.
WIDTHS = ((32, 32), (64, 96), (128, 128, 128), (160, 160, 160, 256))
# Features of the content loss. Views, since the channels of a tap are many and correlated: at equal style distance the
# content distance of paintings was lower by 0.15 (of 1.2) than with the taps themselves.
CONTENT_VIEWS = ("relu3_1", "fire5")
# Input normalization of the teachers (torchvision's convention).
RGB_MEAN = (0.485, 0.456, 0.406)
RGB_STD = (0.229, 0.224, 0.225)


class CompactEncoder(nn.Module):
    """Plain 3x3 convolutions and ReLUs in four stages with max pooling in between; the output of each stage is a tap.

    Pooling instead of strided convolutions because the teachers pool, and because its gradient costs half as much.
    """

    rgb_mean: Tensor
    rgb_std: Tensor

    def __init__(self, widths: Sequence[Sequence[int]] = WIDTHS) -> None:
        super().__init__()
        self.register_buffer("rgb_mean", torch.tensor(RGB_MEAN, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("rgb_std", torch.tensor(RGB_STD, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.channels = tuple(outs[-1] for outs in widths)
        self.stages = nn.ModuleList()
        for before, outs in zip((3, *self.channels), widths, strict=False):
            stage = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise((before, *outs)))
            for convolution in stage:
                nn.init.kaiming_normal_(cast(nn.Conv2d, convolution).weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, convolution.bias))
            self.stages.append(stage)

    def convolutions(self) -> list[nn.Conv2d]:
        """Return all convolutions, in order."""
        return [cast(nn.Conv2d, convolution) for stage in self.stages for convolution in cast(nn.ModuleList, stage)]

    def forward(self, image: Tensor, *, replicate_pad: bool = False) -> list[Tensor]:
        """Encode `image` (B, 3, H, W), sRGB in [0, 1], H and W >= 8: (B, C, h, w) for each tap.

        Args:
            image: The picture.
            replicate_pad: Pad the two coarser stages by replication instead of the zeros used in training, so that the
                border has no far-reaching effect. (The receptive field of the two finer stages is a few pixels.)
        """
        x = (image - self.rgb_mean) / self.rgb_std
        taps: list[Tensor] = []
        for stage in self.stages:
            if taps:
                x = functional.max_pool2d(x, 2)
            convolve = _convolve_replicate_padded if replicate_pad and len(taps) >= len(STRIDES) // 2 else _convolve
            for convolution in cast(nn.ModuleList, stage):
                x = functional.relu_(convolve(x, cast(nn.Conv2d, convolution)))
            taps.append(x)
        return taps


def replicate_pad_by_one(x: Tensor) -> Tensor:
    """Pad `x` (B, C, H, W) by one on every side, by replication, for a 3x3 convolution."""
    with torch.autocast(x.device.type, enabled=False):  # autocast would cast to float32 and back
        return functional.pad(x, (1, 1, 1, 1), mode="replicate")


def _convolve(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    return cast(Tensor, convolution(x))


def _convolve_replicate_padded(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    return functional.conv2d(replicate_pad_by_one(x), convolution.weight, convolution.bias)


class View(nn.Module):
    """Linear map from the channels of one tap to those of a teacher's layer.

    It also maps mean and covariance, so statistics of a tap are computed once and mapped by small matrix products.
    The taps' own statistics minimize the style distance under the teachers, and views their content distance (see the
    model card).

    Attributes:
        tap: Index of the tap.
        matrix: (C', C).
        offset: (C',).
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self, tap: int, matrix: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.tap = tap
        self.register_buffer("matrix", matrix)
        self.register_buffer("offset", offset)

    def map_features(self, tap: Tensor) -> Tensor:
        """Predict the layer's features (1, C', h, w) from `tap` (1, C, h, w)."""
        return functional.conv2d(tap, self.matrix[:, :, None, None], self.offset)

    def map_statistics(self, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the layer's mean (..., C') and covariance (..., C', C') from those of the tap."""
        return mean @ self.matrix.T + self.offset, self.matrix @ covariance @ self.matrix.T


class CompactFeatures(nn.Module):
    """The shipped encoder with its views.

    Attributes:
        encoder: The network.
        views: Views by the name of the teacher's layer.
    """

    style_taps = dict.fromkeys(range(len(STRIDES)), 1.0)
    strides = STRIDES
    reach = 56  # the deepest receptive field is 108 pixels wide

    def __init__(self, encoder: CompactEncoder, views: dict[str, View]) -> None:
        super().__init__()
        self.encoder = encoder
        self.views = nn.ModuleDict(views)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode `image` as `CompactEncoder.forward` does."""
        return cast(list[Tensor], self.encoder(image))

    def content(self, taps: list[Tensor]) -> list[Tensor]:
        """Predict the teachers' content features: (1, C, h, w) for each of `CONTENT_VIEWS`."""
        views = [cast(View, self.views[name]) for name in CONTENT_VIEWS]
        return [view.map_features(taps[view.tap]) for view in views]


def load(path: Path = WEIGHTS) -> CompactFeatures:
    """Load the shipped encoder with its views: frozen, float32, channels last."""
    state, tap_by_view = _read(path)
    views = {
        name: View(tap, state[f"views.{name}.matrix"], state[f"views.{name}.offset"])
        for name, tap in tap_by_view.items()
    }
    return CompactFeatures(_build_encoder(state), views).requires_grad_(False).eval()


def load_encoder(path: Path = WEIGHTS) -> CompactEncoder:
    """Load the shipped encoder without views: frozen, float32, channels last."""
    return _build_encoder(_read(path)[0])


@cache
def encoder_on(device: torch.device) -> CompactEncoder:
    """Load the shipped encoder onto `device`; cached."""
    return load_encoder().to(device)


def _build_encoder(state: dict[str, Tensor]) -> CompactEncoder:
    """Build the encoder from its part of the weights."""
    with torch.random.fork_rng(devices=[]):  # initial weights must not advance the caller's generator
        encoder = CompactEncoder().float()
    prefix = "encoder."
    encoder_state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    encoder.load_state_dict(encoder_state)
    return encoder.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload, no-any-return]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Read the weights in float32, and the tap index of each view by name."""
    with safe_open(path, "pt") as file:
        tap_by_view: dict[str, int] = json.loads(file.metadata()["views"])
        return {key: file.get_tensor(key).float() for key in file.keys()}, tap_by_view  # noqa: SIM118 (not a mapping)
