from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from stylizer_server.app_factory import create_local_app
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.models import PaintingOptions
from stylizer_service.ports import Unavailable
from stylizer_service.settings import Settings

Serve = Callable[[FastAPI], AbstractContextManager[httpx.Client]]

UPLOAD = "upl_" + "a" * 26
INPUTS = [
    "content",
    "content_url",
    "style",
    "style_url",
    "styles",
    "mask",
    "content_mask",
    "method",
    "variants",
    "webhook",
]
FIELDS = [*INPUTS, *PaintingOptions.model_fields]
OPTIONS = ["none", "luminance", "histogram"]
UPLOAD_WORDS = "the id of an upload, as POST /v1/uploads gives it"


@pytest.fixture(scope="module")
def client(
    settings_in: Callable[[Path], Settings], serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """One server for all of these, because what is refused leaves nothing behind."""
    with (
        closing(open_local(settings_in(tmp_path_factory.mktemp("problems")))) as local,
        serve(create_local_app(local)) as client,
    ):
        yield client
        assert client.get("/v1/stylizations").json()["items"] == []


def check(answer: httpx.Response, status: int, code: str, field: str | None, allowed: object) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{code}"), answer.text
    assert problem["status"] == status
    assert (problem["field"], problem["allowed"]) == (field, allowed), answer.text
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("change", "field", "allowed"),
    [
        ({"strength": 1.5}, "strength", "a number from 0 to 1"),
        ({"strength": True}, "strength", "a number from 0 to 1"),
        ({"size": 63}, "size", "a whole number from 64 to 8192, or original"),
        ({"size": 8193}, "size", "a whole number from 64 to 8192, or original"),
        ({"size": "512"}, "size", "a whole number from 64 to 8192, or original"),
        ({"seed": -1}, "seed", "a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed", "a whole number from 0 to 4294967295"),
        ({"content": UPLOAD + "\n"}, "content", UPLOAD_WORDS),
        ({"content": "stz_" + "a" * 26}, "content", UPLOAD_WORDS),
        ({"style_scale": 9}, "style_scale", "a number from 0.25 to 4"),
        ({"preserve_color": "some"}, "preserve_color", OPTIONS),
        ({"method": "magic"}, "method", ["neighbor", "feedforward", "optimization", "texture", "color"]),
        ({"features": "vgg16"}, "features", ["compact", "vgg19"]),
        ({"content": "cat.jpg"}, "content", UPLOAD_WORDS),
        ({"mask": 5}, "mask", UPLOAD_WORDS),
        ({"styles": [{"style": "ink", "weight": 0}]}, "styles[0].weight", "a number above 0, at most 1000"),
        ({"styles": [{"style": "ink", "wait": 1}]}, "styles[0].wait", ["style", "weight", "mask"]),
        ({"styles": []}, "styles", "a list of 1 to 4 entries"),
        ({"styles": [{"style": "ink"}] * 5}, "styles", "a list of 1 to 4 entries"),
        ({"style": "ink", "styles": [{"style": "oil"}]}, "style", "exactly one of style, style_url and styles"),
        ({"style": None}, "style", "exactly one of style, style_url and styles"),
    ],
)
def test_invalid_json_value_names_field_and_allowed_values(
    client: httpx.Client, change: dict[str, object], field: str, allowed: object
) -> None:
    body = {"content": UPLOAD, **({} if "styles" in change else {"style": "ink"}), **change}

    check(client.post("/v1/stylizations", json=body), 422, "invalid-request", field, allowed)


OF_OPTIMIZATION = {"method": "optimization"}
OF_TEXTURE = {"method": "texture"}


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"features": "vgg19"}, "features", ["compact"]),
        ({"method": "color", "content_mask": UPLOAD}, "content_mask", "nothing with this method"),
        (OF_TEXTURE | {"features": "vgg19"}, "features", "nothing with this method"),
        (OF_TEXTURE | {"size": 2049}, "size", "64 to 2048 pixels with method texture"),
        (OF_OPTIMIZATION | {"size": 2049}, "size", "64 to 2048 pixels with method optimization and features compact"),
        (
            OF_OPTIMIZATION | {"features": "vgg19", "size": 1025},
            "size",
            "64 to 1024 pixels with method optimization and features vgg19",
        ),
        (
            OF_OPTIMIZATION | {"features": "vgg19", "style_scale": 4},
            "style_scale",
            "at most 2 at size 1024 with method optimization and features vgg19",
        ),
        (OF_OPTIMIZATION | {"content_mask": UPLOAD}, "content_mask", "nothing with this method"),
    ],
)
def test_options_the_method_lacks_are_refused_in_json_and_form(
    client: httpx.Client, fields: dict[str, object], field: str, allowed: str | list[str]
) -> None:
    body = {"content": UPLOAD, "style": "ink", **fields}
    form = {name: (None, str(value)) for name, value in body.items()}

    check(client.post("/v1/stylizations", json=body), 422, "invalid-option", field, allowed)
    check(client.post("/v1/stylizations", files=form), 422, "invalid-option", field, allowed)


def test_an_unknown_field_is_refused_with_the_list_of_the_known(client: httpx.Client) -> None:
    answer = client.post("/v1/stylizations", json={"content": UPLOAD, "style": "ink", "stength": 1})

    check(answer, 422, "invalid-request", "stength", FIELDS)


def test_a_missing_field_is_named(client: httpx.Client) -> None:
    answer = client.post("/v1/stylizations", json={"style": "ink"})

    check(answer, 422, "invalid-request", "content", "exactly one of content and content_url")
    assert "content is missing" in answer.json()["detail"]
    answer = client.post("/v1/stylizations", files={"style": (None, "ink")})
    check(answer, 422, "invalid-request", "content", "exactly one of content and content_url")


@pytest.mark.parametrize(
    ("parts", "field", "allowed"),
    [
        ([("strength", "1.5")], "strength", "a number from 0 to 1"),
        ([("size", "big")], "size", "a whole number from 64 to 8192, or original"),
        ([("colour", "red")], "colour", [*FIELDS, *(f"styles[{index}].mask" for index in range(4))]),
        ([("style", "oil")], "style", "style once"),
        ([("content", b"again")], "content", "content once"),
        ([("seed", b"7")], "seed", "text"),
        ([("styles", "[")], "styles", 'JSON such as [{"style": "woodcut", "weight": 1}]'),
        ([("styles", '[{"style": "oil"}]')], "style", "exactly one of style, style_url and styles"),
        ([("mask", "mask.png")], "mask", UPLOAD_WORDS),
    ],
)
def test_a_wrong_part_of_a_form_is_named(
    client: httpx.Client, photo: bytes, parts: list[tuple[str, str | bytes]], field: str, allowed: object
) -> None:
    form: list[tuple[str, Any]] = [("content", ("cat.jpg", photo)), ("style", (None, "ink"))]
    form += [(name, (None, value) if isinstance(value, str) else ("x", value)) for name, value in parts]

    answer = client.post("/v1/stylizations", files=form)

    check(answer, 422, "invalid-request", field, allowed)


def test_an_unknown_style_is_refused_with_the_list_of_styles(client: httpx.Client, photo: bytes) -> None:
    answer = client.post("/v1/stylizations", files={"content": ("a", photo)}, data={"style": "crayon"})
    check(answer, 422, "unknown-style", "style", ["ink", "oil"])
    blend = {"styles": '[{"style": "ink"}, {"style": "crayon"}]'}
    answer = client.post("/v1/stylizations", files={"content": ("a", photo)}, data=blend)
    check(answer, 422, "unknown-style", "styles[1].style", ["ink", "oil"])


@pytest.mark.parametrize("body", [b"{", b"", b"\xff{}", b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_400(client: httpx.Client, body: bytes) -> None:
    for path in ("/v1/stylizations", "/v1/styles", "/v1/uploads"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        if body == b"" and path != "/v1/stylizations":
            assert answer.status_code == 422
            assert "the body is missing" in answer.json()["detail"]
        else:
            check(answer, 400, "malformed-json", None, "JSON")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null"])
def test_json_that_is_no_object_is_refused(client: httpx.Client, body: bytes) -> None:
    for path in ("/v1/stylizations", "/v1/styles", "/v1/uploads"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert "the body" in answer.json()["detail"]
        assert answer.json()["allowed"].startswith("an object with ")


def test_unsupported_media_type_is_415_with_accepted_ones(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain"}

    both = ["application/json", "multipart/form-data"]
    check(
        client.post("/v1/stylizations", content=b"x", headers=headers),
        415,
        "unsupported-media-type",
        "Content-Type",
        both,
    )
    check(
        client.post("/v1/uploads", content=b"x", headers=headers),
        415,
        "unsupported-media-type",
        "Content-Type",
        ["application/json"],
    )


@pytest.mark.parametrize("boundary", ["", "; boundary=x"])
def test_a_broken_form_is_a_problem(client: httpx.Client, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    answer = client.post("/v1/stylizations", content=b"--y\r\nnonsense", headers=headers)

    check(answer, 422, "invalid-request", None, "multipart/form-data")


@pytest.mark.parametrize(
    ("query", "field", "allowed"),
    [
        ("limit=0", "limit", "a whole number from 1 to 100"),
        ("limit=many", "limit", "a whole number from 1 to 100"),
        ("status=lost", "status", ["queued", "running", "succeeded", "failed", "canceled", "expired"]),
        ("stat=failed", "stat", ["limit", "cursor", "status"]),
    ],
)
def test_a_wrong_query_parameter_is_named(client: httpx.Client, query: str, field: str, allowed: object) -> None:
    check(client.get(f"/v1/stylizations?{query}"), 422, "invalid-request", field, allowed)


def test_a_cursor_that_was_made_up_is_refused(client: httpx.Client) -> None:
    for path in ("/v1/stylizations", "/v1/styles"):
        answer = client.get(path, params={"cursor": "made-up"})
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_unknown_route_is_404_and_wrong_method_405_with_allow(client: httpx.Client) -> None:
    check(client.get("/v2/nothing"), 404, "not-found", None, None)
    check(client.get("/v1/styles/"), 404, "not-found", None, None)
    wrong = client.delete("/v1/styles")
    check(wrong, 405, "method-not-allowed", None, ["GET", "POST"])
    assert wrong.headers["allow"] == "GET, POST"
    check(client.post("/"), 405, "method-not-allowed", None, ["GET"])
    check(client.get(f"/v1/uploads/{UPLOAD}/file"), 405, "method-not-allowed", None, ["POST"])


def test_a_body_that_says_it_is_too_long_is_refused_unread(client: httpx.Client) -> None:
    answer = client.post("/v1/uploads", content=b" " * 300_000, headers={"Content-Type": "application/json"})

    check(answer, 413, "too-large", None, "at most 262144 bytes")


def test_form_to_a_json_call_is_limited_like_other_bodies(client: httpx.Client) -> None:
    for path in ("/v1/uploads", "/v1/styles"):
        answer = client.post(path, files={"file": b" " * 270_000})
        check(answer, 413, "too-large", None, "at most 262144 bytes")


def test_oversized_body_is_refused_while_it_streams(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    answer = client.post("/v1/uploads", content=endless(), headers={"Content-Type": "application/json"})

    check(answer, 413, "too-large", None, "at most 262144 bytes")


def test_oversized_file_is_refused_by_its_field_name(client: httpx.Client, photo: bytes) -> None:
    files = {"content": ("a", photo), "mask": ("b", photo + bytes(100_000))}
    answer = client.post("/v1/stylizations", files=files, data={"style": "ink"})

    check(answer, 413, "image-too-large", "mask", "a file of at most 100000 bytes")


def test_many_bytes_of_text_in_a_form_are_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/stylizations", files={"style": (None, "x" * 70_000)})

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


def test_a_sane_request_id_is_kept_and_a_strange_one_replaced(client: httpx.Client) -> None:
    kept = client.get("/nothing", headers={"X-Request-Id": "gateway-0123456789"})
    strange = client.get("/nothing", headers={"X-Request-Id": "no such {thing}"})

    assert kept.headers["x-request-id"] == kept.json()["request_id"] == "gateway-0123456789"
    assert strange.headers["x-request-id"] == strange.json()["request_id"] != "no such {thing}"


def test_crash_is_a_bare_problem_with_details_in_the_log(
    local: Local,
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_local_app(local)

    @app.get("/crash")
    def crash() -> None:
        raise ZeroDivisionError("the secret reason")

    with serve(app) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/crash")
        assert client.get("/healthz").json()["status"] == "ok"

    check(answer, 500, "internal", None, None)
    assert "secret" not in answer.text
    assert [r for r in caplog.records if answer.json()["request_id"] in r.getMessage() and r.exc_info]


def test_unavailable_store_is_a_problem_with_retry_after(
    local: Local, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_local_app(local)

    @app.get("/busy")
    def busy() -> None:
        raise Unavailable("GetItem was refused, the last time with 503")

    with serve(app) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/busy")

    check(answer, 503, "unavailable", None, None)
    assert answer.headers["retry-after"] == "10"
    assert "GetItem" not in answer.text
    assert f"request {answer.json()['request_id']} failed: GetItem was refused" in caplog.text
