from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import costs
from benchmarks.growth import fit, seconds_until_done
from stylizer_service.routing import SLOWER

GUIDE = (Path(__file__).parents[2] / "docs" / "costs.md").read_text().replace("\u00d7", "*")


def test_a_power_law_is_found_in_its_own_points() -> None:
    law = fit([(x, 3 * x**1.5) for x in (0.2, 0.7, 2.9, 11.0)])
    assert (law.factor, law.exponent) == pytest.approx((3, 1.5))
    assert law.at(4) == pytest.approx(24)


def test_power_law_is_fitted_to_logarithms_by_least_squares() -> None:
    assert fit([(1, 1), (10, 10), (100, 1)]).exponent == pytest.approx(0)
    assert fit([(1, 1), (10, 10), (100, 1)]).factor == pytest.approx(10 ** (1 / 3))


def test_one_place_is_not_enough_for_a_power_law() -> None:
    with pytest.raises(ValueError, match="two different places"):
        fit([(2, 1), (2, 3)])


@pytest.mark.parametrize(
    ("jobs", "painters", "seconds"), [(0, 5, 0), (1, 5, 8), (5, 5, 8), (6, 5, 10), (1000, 5, 406), (1000, 1, 2006)]
)
def test_jobs_wait_in_line_for_painters(jobs: int, painters: int, seconds: float) -> None:
    assert seconds_until_done(jobs, painters, start=6, each=2) == seconds


def test_prices_and_assumptions_are_those_of_costs_md() -> None:
    prices = dict(re.findall(r"^\| ([^|]+?) \| ([\d.]+) \|", GUIDE, re.MULTILINE))
    assert float(prices["Lambda, arm64, a GB-second (`x86_64`: 0.0000166667)"]) == costs.LAMBDA_GB_SECOND
    assert float(prices["Lambda, a million requests"]) == pytest.approx(costs.LAMBDA_REQUEST * 1e6)
    assert float(prices["SageMaker, ml.g5.xlarge, an hour"]) == costs.GPU_HOUR
    assert f"s = {SLOWER:g} * 1.87 + {costs.STORES:g}" in GUIDE
    assert f"(7.78 + {costs.PAINTER_START:g} c) * 2.94 * 0.0000133334 + 0.0000002" in GUIDE
    assert f"({costs.GPU_IDLE_HOURS:g} + hours of painting)" in GUIDE


def test_lambda_cost_of_1000_paintings_matches_costs_md() -> None:
    cold, warm = (1000 * costs.lambda_usd(1.87, 3008, cold=share) for share in (1, 0.1))
    assert (round(cold, 2), round(100 * warm)) == (0.54, 33)


def test_cost_and_time_of_clips_match_costs_md() -> None:
    short, long = costs.clip_usd(0.8, 120, 3008), costs.clip_usd(2.0, 1800, 3008)
    assert f"= {short:.3f} USD" in GUIDE
    assert f"1,800 frames: {long:.1f} USD, in {costs.clip_seconds(2.0, 1800, 50) / 60:.0f} minutes" in GUIDE
    assert f"chunks of {costs.CHUNK_FRAMES} frames" in GUIDE


def test_clip_within_a_chunk_takes_one_painter() -> None:
    assert [costs.clip_painters(frames) for frames in (1, 48, 49, 97)] == [1, 1, 4, 5]
    assert costs.clip_seconds(1, 48, 5) == costs.PAINTER_START + costs.STORES + SLOWER * 48


def test_endpoint_cost_is_its_start_and_gpu_seconds() -> None:
    assert costs.gpu_usd(35.7 * costs.GPU_FASTER, 100) == pytest.approx(1.41 * (0.5 + 1))


def test_endpoint_break_even_is_the_first_cheaper_count() -> None:
    number = costs.gpu_pays_from(30, 3008)
    assert number is not None
    on_lambda = costs.lambda_usd(30, 3008, cold=0)
    assert costs.gpu_usd(30, number) < number * on_lambda
    assert costs.gpu_usd(30, number - 1) >= (number - 1) * on_lambda
    assert costs.gpu_pays_from(0.1, 3008) is None


def test_painting_is_costed_on_the_smallest_stage_that_fits() -> None:
    small, large = (costs.painter_for("optimization", size, "standard") for size in (1024, 2048))
    assert small is not None
    assert large is not None
    assert (small.stage, large.stage) == ("dev", "prod")
    assert costs.painter_for("optimization", 8192, "high") is None
