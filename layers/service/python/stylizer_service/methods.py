"""What each painting method can honor, so that what it cannot is refused on arrival.

The numbers and the words are the core's; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stylizer_service.models import FeaturesName, MethodName, StylizationRequest
from stylizer_service.problems import ProblemError, failure


class Largest(NamedTuple):
    """The largest long sides, in pixels: of the painting, and of a style at the scale asked for."""

    size: int
    style_size: int


@dataclass(frozen=True, slots=True)
class MethodLimits:
    """The limits of one method.

    Attributes:
        largest: By the perceptual features it can paint with, its default first; None alone where it uses none.
        takes_content_mask: Whether it honors a `content_mask`.
    """

    largest: Mapping[FeaturesName | None, Largest]
    takes_content_mask: bool


METHODS: dict[MethodName, MethodLimits] = {
    "neighbor": MethodLimits({"compact": Largest(8192, 32768)}, takes_content_mask=True),
    "feedforward": MethodLimits({"compact": Largest(8192, 32768)}, takes_content_mask=False),
    "optimization": MethodLimits(
        {"compact": Largest(2048, 4096), "vgg19": Largest(1024, 2048)}, takes_content_mask=False
    ),
    "texture": MethodLimits({None: Largest(2048, 4096)}, takes_content_mask=True),
}


def check_honored(request: StylizationRequest) -> None:
    """Raise an `invalid-option` for what the chosen method cannot do, as the core would."""
    name, limits = request.method, METHODS[request.method]
    features = request.features or next(iter(limits.largest))
    if features not in limits.largest:
        raise _unusable_features(features, request.method)
    largest = limits.largest[features]
    way = f"method {name}" if len(limits.largest) == 1 else f"method {name} and features {features}"
    if request.size > largest.size:
        allowed = f"64 to {largest.size} pixels with {way}"
        raise failure("invalid-option", f"size is {request.size}; it must be {allowed}", field="size", allowed=allowed)
    if round(request.size * request.style_scale) > largest.style_size:
        allowed = f"at most {largest.style_size / request.size:g} at size {request.size} with {way}"
        detail = f"style_scale is {request.style_scale:g}; allowed is {allowed}"
        raise failure("invalid-option", detail, field="style_scale", allowed=allowed)
    if request.content_mask is not None and not limits.takes_content_mask:
        able = [other for other, its in METHODS.items() if its.takes_content_mask]
        detail = f"content_mask cannot be honored by method {name}; leave it out, or choose method {' or '.join(able)}"
        raise failure("invalid-option", detail, field="content_mask", allowed="nothing with this method")


def _unusable_features(features: str | None, method: MethodName) -> ProblemError:
    choices = [choice for choice in METHODS[method].largest if choice is not None]
    allowed = choices or "nothing with this method"
    words = " or ".join(choices) or allowed
    detail = f"features is {features!r}, which method {method} cannot use; allowed is {words}"
    return failure("invalid-option", detail, field="features", allowed=allowed)
