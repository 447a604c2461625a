"""What paintings cost on AWS, by formula from the seconds that were measured here.

The prices and what is assumed stand here once; docs/operations.md tells the same (a test holds it to that).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from infra.settings import StageSettings, read_context, stage_settings
from stylizer.options import MethodName, Quality
from stylizer_service.problems import ProblemError
from stylizer_service.routing import SLOWER, Capacity, select_backend

# List prices of us-east-1 as last known from 2025, put down in November 2026, without free tiers, USD.
LAMBDA_GB_SECOND: Final = 0.0000133334
"""arm64; aws.amazon.com/lambda/pricing"""
LAMBDA_REQUEST: Final = 0.20 / 1e6
"""The same page."""
GPU_HOUR: Final = 1.41
"""One ml.g5.xlarge; aws.amazon.com/sagemaker/ai/pricing"""

# Assumed, since no Lambda and no endpoint has been measured.
STORES: Final = 0.3
"""Seconds that a painter takes for fetching a photo and putting a painting away."""
PAINTER_START: Final = 6.0
"""Seconds that a Lambda painter takes to start anew."""
GPU_FASTER: Final = 10.0
"""How many times as fast the endpoint's GPU paints as the machine that was measured."""
GPU_IDLE_HOURS: Final = 0.5
"""That an endpoint runs for each time it wakes, beside the paintings: its start, and until it is found idle."""


@dataclass(frozen=True)
class Painter:
    """The Lambda painters of a stage.

    Attributes:
        stage: Its name in cdk.json.
        memory: Of one, MiB.
        concurrency: Most of them at a time.
    """

    stage: str
    memory: int
    concurrency: int


def painter_for(method: MethodName, size: int, quality: Quality) -> Painter | None:
    """Of the stages in cdk.json, the one with the least memory whose queue takes the painting; None if none does."""
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
    """That a Lambda takes for a painting of so many measured seconds, once it runs."""
    return SLOWER * measured + STORES


def lambda_usd(measured: float, memory: int, *, cold: float) -> float:
    """Of one painting.

    Args:
        measured: Seconds here, warm.
        memory: Of the painter, MiB.
        cold: Share of paintings that start a painter anew, 0 to 1.
    """
    return (lambda_seconds(measured) + PAINTER_START * cold) * memory / 1024 * LAMBDA_GB_SECOND + LAMBDA_REQUEST


def gpu_seconds(measured: float) -> float:
    """That an endpoint takes for a painting of so many measured seconds, once it runs."""
    return measured / GPU_FASTER + STORES


def gpu_usd(measured: float, paintings: int) -> float:
    """Of paintings that come at once to an endpoint that sleeps, and are painted by one instance."""
    return (GPU_IDLE_HOURS + paintings * gpu_seconds(measured) / 3600) * GPU_HOUR


def gpu_pays_from(measured: float, memory: int) -> int | None:
    """From how many paintings at once the endpoint is cheaper than Lambda painters of `memory` MiB; None for never."""
    saved = lambda_usd(measured, memory, cold=0) - gpu_seconds(measured) / 3600 * GPU_HOUR
    return math.floor(GPU_IDLE_HOURS * GPU_HOUR / saved) + 1 if saved > 0 else None
