"""What a request may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stylizer_service.idempotency import fingerprint
from stylizer_service.models import StylizationRequest, new_id

CONTENT = "upl_" + "a" * 26


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", "upl_short"),
        ("content", "stz_" + "a" * 26),
        ("content", CONTENT + "\n"),
        ("content", "../../etc/passwd"),
        ("mask", "photo.jpg"),
        ("method", "magic"),
        ("size", 63),
        ("size", 8193),
        ("size", 100.5),
        ("strength", 1.5),
        ("strength", float("nan")),
        ("style_scale", 0.2),
        ("preserve_color", "all"),
        ("quality", "best"),
        ("features", "vgg16"),
        ("seed", -1),
        ("seed", 2**32),
        ("format", "bmp"),
        ("format_quality", 0),
        ("keep_metadata", "gps"),
        ("style", ""),
        ("no_such_field", 1),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        StylizationRequest.model_validate({"content": CONTENT, "style": "ink"} | {field: value})

    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("styles", "where"),
    [
        ([], ("styles",)),
        ([{"style": "ink"}] * 5, ("styles",)),
        ([{"style": "ink"}, {"style": "oil", "weight": 0}], ("styles", 1, "weight")),
        ([{"style": "ink", "weight": float("inf")}], ("styles", 0, "weight")),
        ([{"style": "ink", "wieght": 1}], ("styles", 0, "wieght")),
    ],
)
def test_a_blend_has_1_to_4_styles_with_weights_above_0(styles: object, where: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        StylizationRequest.model_validate({"content": CONTENT, "styles": styles})

    assert [error["loc"] for error in caught.value.errors()] == [where]


@pytest.mark.parametrize("styles", [{}, {"style": "ink", "styles": [{"style": "oil"}]}])
def test_styles_are_named_in_exactly_one_way(styles: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either style, style_url or styles"):
        StylizationRequest.model_validate({"content": CONTENT} | styles)


def test_ids_cannot_be_guessed_and_say_what_they_name() -> None:
    ids = {new_id("stz") for _ in range(1000)}

    assert len(ids) == 1000
    assert {(name[:4], len(name)) for name in ids} == {("stz_", 30)}
    # Each place of the random part takes nearly every letter.
    assert all(len({name[place] for name in ids}) > 25 for place in range(4, 30))


def test_fingerprint_stays_that_of_before_keep_metadata() -> None:
    request = {"content": CONTENT, "style": "woodcut", "size": 768}
    keys = [
        fingerprint(StylizationRequest.model_validate(request | {"keep_metadata": keep}))
        for keep in ("none", "exif", "exif+gps")
    ]
    assert keys[0] == "1cf2a2dfdabcbe55c7727daf015895697c67468b121123129c9864a41f4af083"
    assert len(set(keys)) == 3
