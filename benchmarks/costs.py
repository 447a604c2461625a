"""Cost estimates of paintings on AWS, computed from the measured times.

Prices and assumptions are defined only here; docs/costs.md repeats them (a test checks that they match).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from infra.settings import StageSettings, read_context, stage_settings
from stylizer.options import MethodName, Quality
from stylizer_service.adapters.aws.settings import PainterSettings
from stylizer_service.problems import ProblemError
from stylizer_service.routing import SLOWER, Capacity, select_backend

# us-east-1 list prices in USD without free tiers, as last known from 2025, recorded in November 2026.
LAMBDA_GB_SECOND: Final = 0.0000133334
"""arm64; aws.amazon.com/lambda/pricing"""
LAMBDA_REQUEST: Final = 0.20 / 1e6
"""Same page."""
CHUNK_FRAMES: Final[int] = PainterSettings.model_fields["clip_chunk_frames"].default
"""Frames of a clip that one painter paints at most, about."""
GPU_HOUR: Final = 1.41
"""One ml.g5.xlarge; aws.amazon.com/sagemaker/ai/pricing"""

# Assumptions, since neither Lambda nor the endpoint has been measured.
STORES: Final = 0.3
"""Seconds that a painter spends fetching a photo and storing a painting."""
PAINTER_START: Final = 6.0
"""Cold start of a Lambda painter in seconds."""
GPU_FASTER: Final = 10.0
"""Speed of the endpoint's GPU relative to the measured machine."""
GPU_IDLE_HOURS: Final = 0.5
"""Hours of instance time per wake-up besides the paintings: startup, and until scale-in for idleness."""


@dataclass(frozen=True)
class Painter:
    """The Lambda painters of a stage.

    Attributes:
        stage: Its name in cdk.json.
        memory: Memory of one painter in MiB.
        concurrency: Maximum number running at a time.
    """

    stage: str
    memory: int
    concurrency: int


def painter_for(method: MethodName, size: int, quality: Quality) -> Painter | None:
    """Return the painter with the least memory among the stages in cdk.json that accept the painting, or None."""
    for settings in sorted(_stages(), key=lambda settings: settings.painter_memory):
        try:
            select_backend(method, size, quality, Capacity(settings.painting_seconds, settings.painter_memory))
        except ProblemError:
            continue
        return Painter(settings.stage, settings.painter_memory, settings.painter_concurrency)
    return None


def _stages() -> list[StageSettings]:
    stages = read_context()["stages"]
    return [stage_settings(stages, name) for name in stages]


def lambda_seconds(measured: float) -> float:
    """Return the seconds of a painting on a running Lambda, from its measured seconds."""
    return SLOWER * measured + STORES


def lambda_usd(measured: float, memory: int, *, cold: float) -> float:
    """Return the cost of one painting.

    Args:
        measured: Warm seconds on this machine.
        memory: Memory of the painter in MiB.
        cold: Fraction of paintings that incur a cold start, 0 to 1.
    """
    return (lambda_seconds(measured) + PAINTER_START * cold) * memory / 1024 * LAMBDA_GB_SECOND + LAMBDA_REQUEST


def clip_painters(frames: int) -> int:
    """Return how many times a painter is called for a clip: key frames, each chunk, and the joining of them."""
    chunks = math.ceil(frames / CHUNK_FRAMES)
    return chunks + 2 if chunks > 1 else 1


def clip_usd(measured: float, frames: int, memory: int) -> float:
    """Return the cost of a clip if every painter has a cold start.

    Args:
        measured: Warm seconds of a frame on this machine.
        frames: Number of frames.
        memory: Memory of a painter in MiB.
    """
    painters = clip_painters(frames)
    seconds = SLOWER * measured * frames + (STORES + PAINTER_START) * painters
    return seconds * memory / 1024 * LAMBDA_GB_SECOND + painters * LAMBDA_REQUEST


def clip_seconds(measured: float, frames: int, concurrency: int) -> float:
    """Return about how long a clip takes with so many painters that do nothing else.

    A chunk can begin when its key frame and the next one are painted; chunks then take turns at the painters.
    """
    chunks = clip_painters(frames) - 2
    if chunks < 1:
        return PAINTER_START + STORES + SLOWER * measured * frames
    chunk = PAINTER_START + STORES + SLOWER * measured * frames / chunks
    keys = PAINTER_START + STORES + SLOWER * measured * chunks
    return max(keys + chunk, math.ceil(chunks / concurrency) * chunk) + PAINTER_START + STORES


def gpu_seconds(measured: float) -> float:
    """Return the seconds of a painting on a running endpoint, from its measured seconds."""
    return measured / GPU_FASTER + STORES


def gpu_usd(measured: float, paintings: int) -> float:
    """Return the cost of paintings that arrive at once at a sleeping endpoint, and are painted by one instance."""
    return (GPU_IDLE_HOURS + paintings * gpu_seconds(measured) / 3600) * GPU_HOUR


def gpu_pays_from(measured: float, memory: int) -> int | None:
    """Return the number of paintings at once from which the endpoint is cheaper than Lambda painters of `memory` MiB.

    None if it never is.
    """
    saved = lambda_usd(measured, memory, cold=0) - gpu_seconds(measured) / 3600 * GPU_HOUR
    return math.floor(GPU_IDLE_HOURS * GPU_HOUR / saved) + 1 if saved > 0 else None
