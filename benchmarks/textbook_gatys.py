"""Textbook Gatys, Ecker & Bethge 2016: VGG-19, float32, L-BFGS, full size. The baseline of method optimization.

The network has VGG-19's architecture with random weights: their values do not affect the cost, and nothing has to be
downloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

ITERATIONS = 1000  # the usual number in such programs
MEASURED = 10
STYLE_WEIGHT = 1e3
# Output channels of the convolutions in each of VGG-19's blocks, up to conv5_1.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"


class Cost(NamedTuple):
    """Cost of the loop: seconds for 1,000 iterations, extrapolated, and loss evaluations per iteration."""

    seconds: float
    evaluations: float


class Network(nn.Module):
    """VGG-19 up to relu5_1."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        before = 3
        for block, channels in enumerate(BLOCKS, 1):
            for number, after in enumerate(channels, 1):
                convolution = nn.Conv2d(before, after, 3, padding=1)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
                self.layers[f"relu{block}_{number}"] = convolution
                before = after
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features (1, C, h, w) of every layer by name."""
        seen: dict[str, Tensor] = {}
        x = image
        for name, convolution in self.layers.items():
            if name.endswith("_1") and seen:
                x = functional.max_pool2d(x, 2)
            x = seen[name] = functional.relu(convolution(x), inplace=True)
        return seen


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrix (C, C) of features (1, C, h, w), divided by their number."""
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.numel()


def textbook_loss(network: Network, photo: Tensor, style: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the paper's loss of an image, for `photo` and `style` (1, 3, H, W)."""
    with torch.no_grad():
        content = network(photo)[CONTENT_LAYER]
        seen = network(style)
        grams = {name: gram(seen[name]) for name in STYLE_LAYERS}

    def loss(image: Tensor) -> Tensor:
        features = network(image)
        of_style = [functional.mse_loss(gram(features[name]), grams[name]) for name in STYLE_LAYERS]
        of_content = functional.mse_loss(features[CONTENT_LAYER], content)
        return STYLE_WEIGHT * torch.stack(of_style).sum() + of_content

    return loss


def measure_textbook(photo: Tensor, style: Tensor) -> Cost:
    """Time the first ten iterations on `photo` (1, 3, H, W), after a warm-up evaluation.

    Without a line search, as in most such programs: the cheaper variant. Later iterations cost slightly more, since
    L-BFGS keeps up to 100 steps; ignoring that also favors the textbook.
    """
    torch.manual_seed(0)
    loss = textbook_loss(Network(), photo, style)
    image = photo.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([image], max_iter=MEASURED, tolerance_grad=0, tolerance_change=0)
    evaluations = 0

    def evaluate() -> float:
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        value = loss(image)
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    evaluate()
    evaluations = 0
    began = time.perf_counter()
    optimizer.step(evaluate)  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - began
    iterations = int(optimizer.state[image]["n_iter"])
    if iterations < MEASURED:
        raise RuntimeError(
            f"L-BFGS stopped after {iterations} of {MEASURED} iterations; there is nothing to extrapolate"
        )
    return Cost(seconds / iterations * ITERATIONS, evaluations / iterations)
