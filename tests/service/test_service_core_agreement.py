"""The service repeats the core's choices, ranges and defaults, for it ships without it: they are equal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import get_args

import annotated_types
import pytest
from PIL import Image

import stylizer
from stylizer import errors, images, options, tensors
from stylizer import methods as core_methods
from stylizer_service import models, problems
from stylizer_service.inputs import check_pixels
from stylizer_service.methods import METHODS, check_honored
from stylizer_service.probe import ProbedImage
from stylizer_service.settings import Settings


def _limits(field: str) -> tuple[float, float]:
    bounds = models.PaintingOptions.model_fields[field].metadata
    low = next(bound.ge for bound in bounds if isinstance(bound, annotated_types.Ge))
    high = next(bound.le for bound in bounds if isinstance(bound, annotated_types.Le))
    return low, high  # type: ignore[return-value]


def _kinds(error: type[errors.StylizerError]) -> Iterator[type[errors.StylizerError]]:
    for kind in error.__subclasses__():
        if kind.__module__.partition(".")[0] == "stylizer":  # the command line has some of its own
            yield kind
            yield from _kinds(kind)


def test_choices_are_the_cores() -> None:
    assert get_args(models.MethodName) == options.METHOD_NAMES
    assert get_args(models.FeaturesName) == options.FEATURES
    assert get_args(models.PreserveColor) == options.PRESERVE_COLOR
    assert get_args(models.Quality) == options.QUALITIES
    assert get_args(models.Format) == images.FORMATS
    assert models.RESULT_MEDIA_TYPES == images.MEDIA_TYPES


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("size", options.SIZE_RANGE),
        ("strength", options.STRENGTH_RANGE),
        ("style_scale", options.STYLE_SCALE_RANGE),
        ("seed", options.SEED_RANGE),
        ("format_quality", (1, 100)),
    ],
)
def test_ranges_are_the_cores(field: str, expected: tuple[float, float]) -> None:
    assert _limits(field) == expected


def test_defaults_are_the_cores() -> None:
    core = options.Options()
    service = models.PaintingOptions()

    for name in ("size", "strength", "style_scale", "preserve_color", "quality", "features", "seed"):
        assert getattr(service, name) == getattr(core, name)
    assert models.StylizationRequest.model_fields["method"].default == options.DEFAULT_METHOD


def test_limits_on_pictures_are_the_cores() -> None:
    core, service = images.Limits(), Settings()

    for name in ("max_bytes", "max_pixels", "max_aspect_ratio", "min_side"):
        assert getattr(service, name) == getattr(core, name)


def test_what_each_method_can_honor_is_what_it_says_in_the_core() -> None:
    assert set(METHODS) == set(options.METHOD_NAMES)
    for name, limits in METHODS.items():
        method = core_methods.load(name)
        assert list(limits.largest) == list(method.LARGEST)  # in order too: the first is the default
        for features, largest in limits.largest.items():
            assert tuple(largest) == tuple(method.LARGEST[features])
        assert limits.takes_content_mask == method.TAKES_CONTENT_MASK


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("neighbor", {"features": "vgg19"}),
        ("feedforward", {"features": "vgg19"}),
        ("feedforward", {"content_mask": "upl_" + "a" * 26}),
        ("texture", {"size": 2049}),
        ("texture", {"size": 2048, "style_scale": 2.5}),
        ("texture", {"features": "compact"}),
        ("texture", {"features": "vgg19", "size": 4096}),
        ("optimization", {"size": 2049}),
        ("optimization", {"size": 1025, "features": "vgg19"}),
        ("optimization", {"size": 1000, "style_scale": 2.5, "features": "vgg19"}),
        ("optimization", {"size": 2048, "style_scale": 2.5, "features": "compact"}),
        ("optimization", {"content_mask": "upl_" + "a" * 26}),
    ],
)
def test_what_a_method_cannot_honor_is_refused_in_the_words_of_the_core(
    method: options.MethodName, fields: dict[str, object]
) -> None:
    request = models.StylizationRequest.model_validate(
        {"content": "upl_" + "a" * 26, "style": "ink", "method": method} | fields
    )
    mask = b"" if "content_mask" in fields else None
    chosen = options.Options(**{k: v for k, v in fields.items() if k != "content_mask"})  # type: ignore[arg-type]

    with pytest.raises(problems.ProblemError) as ours:
        check_honored(request)
    with pytest.raises(errors.OptionError) as cores:
        stylizer.stylize(b"", b"", method=method, options=chosen, content_mask=mask)

    refused, expected = ours.value.problem, cores.value
    assert (refused.code, refused.detail) == (expected.code, expected.detail)
    assert (refused.field, refused.allowed) == (expected.field, expected.allowed)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("neighbor", {"size": 8192, "style_scale": 4.0, "features": "compact"}),
        ("neighbor", {"content_mask": "upl_" + "a" * 26}),
        ("feedforward", {"size": 8192, "style_scale": 4.0, "features": "compact"}),
        ("texture", {"size": 2048, "style_scale": 2.0, "content_mask": "upl_" + "a" * 26}),
        ("optimization", {"size": 2048, "style_scale": 2.0}),
        ("optimization", {"size": 2048, "features": "compact"}),
        ("optimization", {"size": 1024, "style_scale": 2.0, "features": "vgg19"}),
    ],
)
def test_what_a_method_can_just_honor_is_accepted(method: str, fields: dict[str, object]) -> None:
    check_honored(
        models.StylizationRequest.model_validate(
            {"content": "upl_" + "a" * 26, "style": "ink", "method": method} | fields
        )
    )


@pytest.mark.parametrize("shape", [(40, 40), (60, 51), (17, 90), (90, 89)])
def test_a_painting_of_too_many_pixels_is_refused_in_the_words_of_the_core(shape: tuple[int, int]) -> None:
    photo, limit = Image.new("RGB", shape), 20_000
    limits = images.Limits(max_pixels=limit)
    largest = max(size for size in range(64, 1000) if math.prod(tensors.long_side_to(size, *shape)) <= limit)
    with pytest.raises(errors.OptionError) as cores:
        stylizer.stylize(photo, photo, options=options.Options(size=largest + 12), limits=limits)
    with pytest.raises(problems.ProblemError) as ours:
        check_pixels(largest + 12, ProbedImage(*shape, "image/png"), limit)

    refused, expected = ours.value.problem, cores.value
    assert (refused.code, refused.detail) == (expected.code, expected.detail)
    assert (refused.field, refused.allowed) == (expected.field, expected.allowed)
    named = int(str(expected.allowed).split()[2])
    assert largest - 1 <= named <= largest
    check_pixels(named, ProbedImage(*shape, "image/png"), limit)
    assert stylizer.stylize(photo, photo, options=options.Options(size=named), limits=limits).image.width


def test_every_error_of_the_core_is_a_kind_of_problem() -> None:
    codes = {kind.code for kind in _kinds(errors.StylizerError)} - {errors.Canceled.code}

    assert codes <= set(problems.KINDS)


def test_the_formats_that_are_taken_are_the_cores() -> None:
    with pytest.raises(errors.UnsupportedImage) as caught:
        images.decode(b"text")

    assert set(caught.value.allowed or ()) == set(models.MEDIA_TYPES) - {"image/heif"}
