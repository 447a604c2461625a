from __future__ import annotations

from itertools import product

import pytest

from stylizer import OptionError, Options, variants
from stylizer.capabilities import METHODS, STROKE_METHODS, validate
from stylizer.options import MethodName


def test_variants_start_with_given_options_and_differ() -> None:
    options = Options(size=512, seed=7, quality="draft")
    found = variants(options, 4)

    assert found[0] == options
    assert [(each.seed, each.style_scale) for each in found] == [(7, 1.0), (8, 0.667), (9, 1.5), (10, 0.444)]
    assert {(each.size, each.quality) for each in found} == {(512, "draft")}
    assert found == variants(options, 4)


def test_variants_of_fewer_are_first_of_more() -> None:
    options = Options(style_scale=0.3)
    assert [variants(options, n) for n in (1, 2, 3)] == [variants(options, 4)[:n] for n in (1, 2, 3)]


@pytest.mark.parametrize(("method", "scale"), list(product(STROKE_METHODS, [0.25, 1.0, 2.0, 4.0])))
def test_variants_are_valid_and_distinct_at_limits(method: MethodName, scale: float) -> None:
    for features, limits in METHODS[method].sizes.items():
        size = min(limits.size, int(limits.style_size / scale))
        options = Options(size=size, style_scale=scale, features=features, seed=2**32 - 1)
        found = variants(options, 4, method=method)

        for each in found:
            validate(
                method,
                size=size,
                style_scale=each.style_scale,
                preserve_color="none",
                features=each.features,
                has_content_mask=False,
            )
        assert len({each.style_scale for each in found}) == 4
        assert [each.seed for each in found] == [2**32 - 1, 0, 1, 2]


def test_variants_of_color_differ_in_seed_only() -> None:
    assert [(each.seed, each.style_scale) for each in variants(Options(), 3, method="color")] == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]


@pytest.mark.parametrize("n", [0, 5, 2.0, True, "2"])
def test_variants_of_wrong_number_are_refused(n: int) -> None:
    with pytest.raises(OptionError, match="it must be a whole number from 1 to 4") as caught:
        variants(Options(), n)
    assert caught.value.field == "variants"
