"""The teachers of the compact encoder: VGG-19 and SqueezeNet 1.0 as built by torchvision."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stylizer.features.compact import RGB_MEAN, RGB_STD, STRIDES
from stylizer.features.zoo import torchvision_models


@dataclass(frozen=True)
class Layer:
    """A teacher layer: module index, channels, and the corresponding tap of the student."""

    name: str
    index: int
    channels: int
    tap: int


@dataclass(frozen=True)
class Teacher:
    """A sequential network, its tapped layers (in order), and the crop of its input.

    Without padding in the first convolution, features are shifted against the student's; cropping `offset` pixels from
    the top and left of the input realigns the grids.
    """

    chain: nn.Sequential
    layers: tuple[Layer, ...]
    offset: int = 0


VGG19_LAYERS = (Layer("relu1_1", 1, 64, 0), Layer("relu2_1", 6, 128, 1), Layer("relu3_1", 11, 256, 2))
# Features are centered at pixel 4 i + 5 and 8 i + 9; four pixels of offset make that 4 (i + 2) + 1 and 8 (i + 1) + 5,
# close to the student's 4 j + 1.5 and 8 j + 3.5.
SQUEEZENET_LAYERS = (Layer("fire3", 4, 128, 2), Layer("fire5", 7, 256, 3), Layer("fire8", 10, 512, 3))
SQUEEZENET_OFFSET = 4
LAYERS = VGG19_LAYERS + SQUEEZENET_LAYERS
CONTENT_LAYERS = ("relu3_1", "fire5")
# VGG-19 compressed 16 times (Wang et al., "Collaborative Distillation", CVPR 2020, arXiv 2003.08436): cheap enough for
# a loss at relu4_1.
COMPRESSED_LAYERS = (
    Layer("relu1_1", 1, 16, 0),
    Layer("relu2_1", 6, 32, 1),
    Layer("relu3_1", 11, 64, 2),
    Layer("relu4_1", 20, 128, 3),
)


class Teachers(nn.Module):
    """All teachers as one frozen module with the given precision."""

    rgb_mean: Tensor
    rgb_std: Tensor

    def __init__(self, teachers: tuple[Teacher, ...], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.teachers = teachers
        self.layers = tuple(layer for teacher in teachers for layer in teacher.layers)
        self.chains = nn.ModuleList(teacher.chain for teacher in teachers)
        self.register_buffer("rgb_mean", torch.tensor(RGB_MEAN).view(1, 3, 1, 1))
        self.register_buffer("rgb_std", torch.tensor(RGB_STD).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()
        self.dtype = dtype
        self.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return `features` without gradients."""
        return self.features(image)

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return features (B, C, h, w) by layer name of `image` (B, 3, H, W), sRGB in [0, 1]."""
        features: dict[str, Tensor] = {}
        for teacher in self.teachers:
            x = image[:, :, teacher.offset :, teacher.offset :].to(self.dtype, memory_format=torch.channels_last)
            x = (x - self.rgb_mean) / self.rgb_std
            names = {layer.index: layer.name for layer in teacher.layers}
            for index, module in enumerate(list(teacher.chain)[: max(names) + 1]):
                x = module(x)
                if index in names:
                    features[names[index]] = x
        return features

    def aligned(self, tap: Tensor, layer: Layer, features: Tensor) -> Tensor:
        """Crop the student's `tap` to the positions of the teacher's `features` of `layer`."""
        offset = next(teacher.offset for teacher in self.teachers if layer in teacher.layers)
        start = -(-2 * offset // STRIDES[layer.tap]) if offset else 0
        return tap[:, :, start : start + features.shape[2], start : start + features.shape[3]]


def add_teachers_flag(parser: ArgumentParser) -> None:
    """Add the `--teachers` flag."""
    parser.add_argument("--teachers", type=Path, help="folder of the teachers' state dicts (default: torchvision's)")


def load_teachers(folder: Path | None = None, dtype: torch.dtype = torch.float32) -> Teachers:
    """Load VGG-19 and SqueezeNet 1.0 from `folder`, or download torchvision's weights.

    Args:
        folder: Holds `vgg19*.safetensors` (at least the first twelve layers) and `squeezenet1_0*.safetensors`, state
            dicts of the torchvision models of those names.
        dtype: Precision to run in.
    """
    models = torchvision_models()
    vgg, squeeze = models.vgg19(weights=None).features[:12], models.squeezenet1_0(weights=None).features
    if folder is None:
        published = models.VGG19_Weights.IMAGENET1K_V1, models.SqueezeNet1_0_Weights.IMAGENET1K_V1
        for chain, weights in zip((vgg, squeeze), published, strict=True):
            # Without `weights_only`, torchvision would execute code in the file.
            _put(chain, weights.get_state_dict(check_hash=True, weights_only=True))
    else:
        for chain, pattern in ((vgg, "vgg19*.safetensors"), (squeeze, "squeezenet1_0*.safetensors")):
            _put(chain, _read(folder, pattern))
    return Teachers(
        (Teacher(vgg, VGG19_LAYERS), Teacher(squeeze, SQUEEZENET_LAYERS, SQUEEZENET_OFFSET)),
        dtype,
    )


def load_compressed_vgg(folder: Path, dtype: torch.dtype = torch.float32) -> Teachers:
    """Load the compressed VGG-19 to relu4_1 from `compressed_vgg19*.safetensors` in `folder`.

    It uses zero padding instead of the original reflect padding: exclude a margin of the image from the loss.
    """
    state = _read(folder, "compressed_vgg19*.safetensors")
    # Fold the original's linear first 1x1 layer (colors in [0, 1]) and `Teachers`' normalization into the next one.
    colors = state["conv0.weight"][:, :, 0, 0]
    state["conv11.bias"] += state["conv11.weight"].sum((2, 3)) @ (state["conv0.bias"] + colors @ torch.tensor(RGB_MEAN))
    state["conv11.weight"] = torch.einsum("oihw,ij->ojhw", state["conv11.weight"], colors * torch.tensor(RGB_STD))
    chain: list[nn.Module] = []
    for name in ("11", "12", "", "21", "22", "", "31", "32", "33", "34", "", "41"):
        if not name:
            chain.append(nn.MaxPool2d(2))
            continue
        weight = state[f"conv{name}.weight"]
        convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        convolution.load_state_dict({"weight": weight, "bias": state[f"conv{name}.bias"]})
        chain += [convolution, nn.ReLU()]
    return Teachers((Teacher(nn.Sequential(*chain), COMPRESSED_LAYERS),), dtype)


def _read(folder: Path, pattern: str) -> dict[str, Tensor]:
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise FileNotFoundError(f"no {pattern} in {folder}")
    return load_file(paths[0])


def _put(chain: nn.Sequential, weights: Mapping[str, Tensor]) -> None:
    state = {key.removeprefix("features."): value for key, value in weights.items()}
    chain.load_state_dict({key: state[key] for key in chain.state_dict()})
