"""What each painting method can honor, so that what it cannot is refused on arrival.

The numbers are the core's; a test holds them equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylizer_service.models import MethodName, StylizationRequest
from stylizer_service.problems import failure


@dataclass(frozen=True, slots=True)
class MethodLimits:
    """The limits of one method.

    Attributes:
        max_size: Largest long side of the painting, pixels.
        max_style_size: Largest long side of a style at the scale asked for, pixels.
        takes_content_mask: Whether it honors a `content_mask`.
    """

    max_size: int
    max_style_size: int
    takes_content_mask: bool


METHODS: dict[MethodName, MethodLimits] = {
    "texture": MethodLimits(max_size=2048, max_style_size=4096, takes_content_mask=True)
}


def check_honored(request: StylizationRequest) -> None:
    """Raise an `invalid-option` for what the chosen method cannot do, as the core would."""
    limits = METHODS[request.method]
    if request.size > limits.max_size:
        allowed = f"64 to {limits.max_size} pixels with method {request.method}"
        detail = f"size is {request.size}; it must be {allowed}"
        raise failure("invalid-option", detail, field="size", allowed=allowed)
    if round(request.size * request.style_scale) > limits.max_style_size:
        most = limits.max_style_size / request.size
        allowed = f"at most {most:g} at size {request.size} with method {request.method}"
        detail = f"style_scale is {request.style_scale:g}; allowed is {allowed}"
        raise failure("invalid-option", detail, field="style_scale", allowed=allowed)
    if request.content_mask is not None and not limits.takes_content_mask:
        detail = f"content_mask cannot be honored by method {request.method}; leave it out"
        raise failure("invalid-option", detail, field="content_mask", allowed="nothing with this method")
