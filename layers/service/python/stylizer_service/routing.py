"""Backend selection: a pure function of the requested painting and the stage's capacity.

Cost is estimated from `make bench` measurements (docs/benchmarks.md) on two cores of an AMD EPYC (Zen 5): seconds and
MiB as a fixed part plus a part per megapixel, for the most expensive style and a square photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from stylizer.capabilities import describe_size, size_limits
from stylizer.clips.segments import SEGMENT_FRAMES
from stylizer.options import ORIGINAL, SIZE_RANGE, FeaturesName, MethodName, Quality
from stylizer_service.models import Backend, StylizationRequest
from stylizer_service.problems import failure
from stylizer_service.settings import Settings

SLOWER = 4.0
"""Slowdown allowed relative to the benchmark machine: a Lambda's cores are older and shared."""

GPU_PAYS_AFTER = 120.0
"""Seconds above which a painting is worth the GPU endpoint, which takes minutes to scale up from zero."""

REGION_MEMORY = 12
"""MiB per megapixel of each region: its mask and its share, as floats, and patches or a composite."""

CLIP_MEMORY = 250
"""MiB of a clip beside its frames: the file, in painter and decoder, and the video decoder."""
FRAME_MEMORY = 10
"""MiB per megapixel of each frame of a segment: as decoded, here and in the decoder, and as painted."""

SMALLEST = 64  # smallest size the API accepts, pixels


class Cost(NamedTuple):
    """Cost of a painting: seconds on the benchmark machine, and MiB."""

    seconds: float
    seconds_per_megapixel: float
    memory: float
    memory_per_megapixel: float

    def of_segment(self, frames: int) -> Cost:
        """Return the cost of painting so many frames of a clip one after the other, and keeping them all."""
        return Cost(
            frames * self.seconds,
            frames * self.seconds_per_megapixel,
            self.memory + CLIP_MEMORY,
            self.memory_per_megapixel + frames * FRAME_MEMORY,
        )


COSTS: dict[tuple[MethodName, FeaturesName | None], dict[Quality, Cost]] = {
    ("neighbor", "compact"): {
        "draft": Cost(1.0, 1.0, 1300, 70),
        "standard": Cost(1.8, 3.0, 1300, 70),
        "high": Cost(10, 4, 1900, 45),  # optimizes copies of at most 512 pixels
    },
    ("feedforward", "compact"): {
        "draft": Cost(0.4, 0.3, 1300, 50),
        "standard": Cost(0.8, 1.2, 1300, 50),
        "high": Cost(4, 1.2, 1300, 50),
    },
    ("optimization", "compact"): {
        "draft": Cost(3, 11, 1300, 700),
        "standard": Cost(8, 35, 1300, 700),
        "high": Cost(9, 100, 1300, 700),
    },
    # Four times the compact encoder: one evaluation took 3.6 times as long at 512 x 340, with 1.7 times the memory.
    ("optimization", "vgg19"): {
        "draft": Cost(12, 45, 2000, 1300),
        "standard": Cost(32, 140, 2000, 1300),
        "high": Cost(36, 400, 2000, 1300),
    },
    ("texture", None): {
        "draft": Cost(0.5, 9, 600, 520),
        "standard": Cost(1, 20, 600, 520),
        "high": Cost(2, 50, 600, 520),
    },
    ("color", None): {
        "draft": Cost(0.2, 0.3, 600, 70),
        "standard": Cost(0.3, 0.3, 600, 70),
        "high": Cost(0.6, 0.3, 600, 70),
    },
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """Resources of a stage's painters for one painting.

    Attributes:
        seconds: Time limit of the queue's painters; None if there is none.
        memory: Memory of the queue's painters, MiB; None if it is not limited.
        gpu: Whether there is a GPU endpoint, which handles everything the methods support.
    """

    seconds: float | None = None
    memory: int | None = None
    gpu: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Capacity:
        """Return the capacity described by the settings."""
        return cls(settings.painter_seconds, settings.painter_memory, settings.gpu)


def select_backend(
    method: MethodName,
    size: int,
    quality: Quality,
    stage: Capacity,
    *,
    features: FeaturesName | None = None,
    variants: int = 1,
    regions: int = 1,
    frames: int = 1,
    size_description: str | None = None,
) -> Backend:
    """Select the backend for a painting.

    A clip needs the time and memory of one of its segments, in chunks or not: a painter whose time is over leaves the
    rest to the next one. It goes to the queue if that is possible, where several paint it, since an endpoint has one.

    Args:
        method: Method.
        size: Long side, pixels.
        quality: Quality.
        stage: Capacity of the stage.
        features: Perceptual encoder, if not the method's default.
        variants: Number of paintings, made one after the other.
        regions: Number of regions with styles of their own: most methods paint one after the other.
        frames: Number of frames of a clip; 1 for a picture.
        size_description: How the refusal states a size that the request does not give in pixels.

    Raises:
        ProblemError: `invalid-option`, with the largest size allowed for the other options, if no painter can do it, or
            the most variants if that is what takes too long.
    """
    cost = _in_regions(_cost(method, features, quality), regions)
    if frames > 1:
        cost = cost.of_segment(min(frames, SEGMENT_FRAMES))
    seconds = variants * _seconds(cost, size)
    fits_once = _fits(cost, size, stage)
    if fits_once and (stage.seconds is None or seconds <= stage.seconds):
        return "gpu" if stage.gpu and frames == 1 and seconds > GPU_PAYS_AFTER else "queue"
    if stage.gpu:
        return "gpu"
    if fits_once and stage.seconds is not None:
        allowed = f"1 to {math.floor(stage.seconds / _seconds(cost, size))} at size {size} with quality {quality}"
        given = f" and size is {size_description}" if size_description else ""
        detail = f"variants is {variants}{given}; the painters here have time for {allowed}"
        raise failure("invalid-option", detail, field="variants", allowed=allowed)
    largest = _largest(cost, size, stage)
    way = f"method {method} and quality {quality}" + (f" and features {features}" if features else "")
    way += f" and {regions} regions" if regions > 1 else ""
    way += " for a clip" if frames > 1 else ""
    allowed = f"{SMALLEST} to {largest} pixels with {way}" if largest else "another method or quality"
    detail = f"size is {size_description or size}; the painters here have time and memory for {allowed}"
    raise failure("invalid-option", detail, field="size", allowed=allowed)


def size_to_route(
    request: StylizationRequest, photo_size: tuple[int, int] | None, most: int = SIZE_RANGE[1]
) -> tuple[int, str | None]:
    """Return the `size` and `size_description` of `select_backend` for a request.

    Args:
        request: The request.
        photo_size: (width, height) of the upright photo; None if only the painter gets to know it, and then size
            "original" counts as the largest one of the method.
        most: Largest size that is allowed with every method.
    """
    if request.size != ORIGINAL:
        return request.size, None
    if photo_size is not None:
        return max(photo_size), describe_size(ORIGINAL, photo_size)
    size = min(most, size_limits(request.method, request.features).size)
    return size, f"{ORIGINAL}, which is up to {size} pixels for a photo that is yet to be read"


def _cost(method: MethodName, features: FeaturesName | None, quality: Quality) -> Cost:
    own = next(key for key in COSTS if key[0] == method)
    return COSTS[(method, features) if features else own][quality]


def _in_regions(cost: Cost, regions: int) -> Cost:
    """Return the cost of a painting with several regions: each is painted whole, beside a composite and shares."""
    if regions == 1:
        return cost
    return Cost(
        regions * cost.seconds,
        regions * cost.seconds_per_megapixel,
        cost.memory,
        cost.memory_per_megapixel + REGION_MEMORY * regions,
    )


def _seconds(cost: Cost, size: int) -> float:
    return SLOWER * (cost.seconds + cost.seconds_per_megapixel * size**2 / 1e6)


def _memory(cost: Cost, size: int) -> float:
    return cost.memory + cost.memory_per_megapixel * size**2 / 1e6


def _fits(cost: Cost, size: int, stage: Capacity) -> bool:
    in_time = stage.seconds is None or _seconds(cost, size) <= stage.seconds
    return in_time and (stage.memory is None or _memory(cost, size) <= stage.memory)


def _largest(cost: Cost, size: int, stage: Capacity) -> int | None:
    """Return the largest size that fits, below one that does not, or None if none does."""
    squares = [float(size**2)]
    if stage.seconds is not None:
        squares.append((stage.seconds / SLOWER - cost.seconds) / cost.seconds_per_megapixel * 1e6)
    if stage.memory is not None:
        squares.append((stage.memory - cost.memory) / cost.memory_per_megapixel * 1e6)
    largest = math.isqrt(max(0, math.floor(min(squares))))
    return largest if largest >= SMALLEST else None
