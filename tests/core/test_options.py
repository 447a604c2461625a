from __future__ import annotations

import math
from typing import Any

import pytest

from stylizer.errors import OptionError, StylizerError
from stylizer.options import Options, check_weight


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("strength", 1.5, "strength is 1.5; it must be a number from 0 to 1"),
        ("strength", -0.1, "strength is -0.1; it must be a number from 0 to 1"),
        ("strength", math.nan, "strength is nan; it must be a number from 0 to 1"),
        ("strength", "1", "strength is '1'; it must be a number from 0 to 1"),
        ("strength", True, "strength is True; it must be a number from 0 to 1"),
        ("style_scale", 0.2, "style_scale is 0.2; it must be a number from 0.25 to 4"),
        pytest.param(
            "strength", 10**400, f"strength is {10**400}; it must be a number from 0 to 1", id="beyond floats"
        ),
        ("style_scale", math.inf, "style_scale is inf; it must be a number from 0.25 to 4"),
        ("size", 63, "size is 63; it must be a whole number from 64 to 8192 pixels, or original"),
        ("size", 8193, "size is 8193; it must be a whole number from 64 to 8192 pixels, or original"),
        ("size", 512.0, "size is 512.0; it must be a whole number from 64 to 8192 pixels, or original"),
        ("seed", -1, "seed is -1; it must be a whole number from 0 to 4294967295"),
        ("seed", 2**32, "seed is 4294967296; it must be a whole number from 0 to 4294967295"),
        ("quality", "best", "quality is 'best'; it must be one of draft, standard, high"),
        ("features", "vgg16", "features is 'vgg16'; it must be one of compact, vgg19"),
        ("keep_metadata", "gps", "keep_metadata is 'gps'; it must be one of none, exif, exif+gps"),
        (
            "preserve_color",
            None,
            "preserve_color is None; it must be one of none, luminance, histogram",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_allowed(field: str, value: Any, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(**{field: value})
    assert str(caught.value) == words
    assert caught.value.field == field
    allowed = caught.value.allowed
    assert allowed is not None
    assert words.endswith(allowed if isinstance(allowed, str) else ", ".join(allowed))


def test_both_ends_of_every_range_are_allowed() -> None:
    Options(size=64, strength=0, style_scale=0.25, seed=0)
    Options(size=8192, strength=1, style_scale=4, seed=2**32 - 1)


@pytest.mark.parametrize("weight", [0, -1.0, math.nan, math.inf, 10**400, True, "1", None])
def test_the_weight_of_a_style_is_a_number_above_0(weight: object) -> None:
    for right in (1, 0.5, 5e-324, 1e308):
        check_weight(right)
    with pytest.raises(OptionError, match="it must be a number above 0") as caught:
        check_weight(weight)
    assert caught.value.field == "weight"


def test_every_error_has_a_code_of_its_own_fit_for_a_url() -> None:
    def below(kind: type[StylizerError]) -> list[type[StylizerError]]:
        return [kind, *(error for child in kind.__subclasses__() for error in below(child))]

    codes = [kind.code for kind in below(StylizerError) if kind.__module__ == "stylizer.errors"]
    assert len(codes) == len(set(codes)) >= 13
    assert all(code.replace("-", "").isalpha() and code.islower() for code in codes)
