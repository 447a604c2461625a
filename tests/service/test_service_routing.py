"""Which painters a job goes to."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from stylizer.capabilities import METHODS
from stylizer.options import MethodName, Quality
from stylizer_service.models import StyleWeight, StylizationRequest
from stylizer_service.problems import ProblemError
from stylizer_service.routing import COSTS, Capacity, select_backend

LAMBDA = Capacity(seconds=870, memory=6144)
LAMBDA_AND_GPU = Capacity(seconds=870, memory=6144, gpu=True)
QUALITIES: tuple[Quality, ...] = get_args(Quality)


def test_what_every_method_can_do_has_a_price() -> None:
    wanted = {(method, features) for method, limits in METHODS.items() for features in limits.sizes}
    assert set(COSTS) == wanted
    assert all(set(prices) == set(QUALITIES) for prices in COSTS.values())


@pytest.mark.parametrize("method", METHODS)
def test_unlimited_backend_takes_all_the_method_supports(method: MethodName) -> None:
    for features, largest in METHODS[method].sizes.items():
        for quality in QUALITIES:
            assert select_backend(method, largest.size, quality, Capacity(), features=features) == "queue"


@pytest.mark.parametrize(
    ("method", "size", "quality", "way"),
    [
        ("neighbor", 2048, "standard", "queue"),
        ("neighbor", 4096, "standard", "gpu"),
        ("feedforward", 8192, "standard", "gpu"),
        ("feedforward", 4096, "standard", "queue"),
        ("optimization", 512, "standard", "queue"),
        ("optimization", 1024, "standard", "gpu"),
        ("texture", 1024, "standard", "queue"),
        ("texture", 2048, "high", "gpu"),
    ],
)
def test_the_gpu_gets_what_takes_the_queue_long(method: MethodName, size: int, quality: Quality, way: str) -> None:
    assert select_backend(method, size, quality, LAMBDA_AND_GPU) == way
    assert select_backend(method, 512, "draft", LAMBDA) == "queue"


def test_more_work_never_goes_back_to_the_slower_way() -> None:
    for (method, features), quality in itertools.product(COSTS, QUALITIES):
        ways = [
            select_backend(method, size, quality, LAMBDA_AND_GPU, features=features) for size in range(64, 8193, 128)
        ]
        assert ways == sorted(ways, reverse=True)  # queue, queue, …, gpu, gpu


@pytest.mark.parametrize(
    "stage", [LAMBDA, Capacity(seconds=60), Capacity(memory=2048), Capacity(seconds=300, memory=1769)], ids=str
)
def test_size_too_large_for_all_backends_names_the_maximum(stage: Capacity) -> None:
    for (method, features), quality in itertools.product(COSTS, QUALITIES):
        try:
            assert select_backend(method, 8192, quality, stage, features=features) == "queue"
        except ProblemError as error:
            problem = error.problem
            assert (problem.code, problem.field, problem.status) == ("invalid-option", "size", 422)
            if problem.allowed == "another method or quality":
                largest = 63
            else:
                largest = int(str(problem.allowed).split()[2])
                assert select_backend(method, largest, quality, stage, features=features) == "queue"
            with pytest.raises(ProblemError):
                select_backend(method, largest + 1, quality, stage, features=features)


def test_a_refusal_says_what_there_is_time_and_memory_for() -> None:
    with pytest.raises(ProblemError) as caught:
        select_backend("optimization", 2048, "high", Capacity(seconds=870, memory=6144))
    assert caught.value.problem.detail == (
        "size is 2048; the painters here have time and memory for 64 to 1443 pixels with method optimization"
        " and quality high"
    )


def test_regions_count_as_so_many_paintings() -> None:
    assert select_backend("optimization", 512, "standard", LAMBDA_AND_GPU) == "queue"
    assert select_backend("optimization", 512, "standard", LAMBDA_AND_GPU, regions=4) == "gpu"
    with pytest.raises(ProblemError) as caught:
        select_backend("optimization", 2048, "standard", LAMBDA, regions=4)
    assert caught.value.problem.field == "size"
    assert "4 regions" in caught.value.problem.detail


def test_the_unmasked_styles_are_one_region() -> None:
    upload = "upl_" + "a" * 26
    for masks, count in (([None], 1), ([None, None], 1), ([upload], 1), ([None, None, upload], 2), ([upload] * 4, 4)):
        styles = [StyleWeight(style="ink", mask=mask) for mask in masks]
        assert StylizationRequest(content=upload, styles=styles).region_count == count


def test_clip_needs_time_and_memory_of_one_segment() -> None:
    stage = Capacity(seconds=870, memory=3008)
    for frames in (16, 1800):
        assert select_backend("neighbor", 1080, "standard", stage, frames=frames) == "queue"
        with pytest.raises(ProblemError) as caught:
            select_backend("optimization", 1080, "standard", stage, frames=frames)
        assert "for a clip" in caught.value.problem.detail
    assert select_backend("neighbor", 1080, "standard", Capacity(memory=1400)) == "queue"
    with pytest.raises(ProblemError):
        select_backend("neighbor", 1080, "standard", Capacity(memory=1400), frames=16)
