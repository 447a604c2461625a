"""What every answer says to browsers and caches, whatever became of the request."""

from __future__ import annotations

import pytest
from access.deployments import NEVER, Answer, Belongings, Deployment

from infra.gateway_responses import HEADERS as OF_GATEWAY
from stylizer_api.middleware import HEADERS
from stylizer_service.usecases import Service

STRICT = "max-age=63072000"


def answers(deployment: Deployment) -> dict[str, Answer]:
    """One answer of each kind that there is."""
    has = Belongings.of(deployment)
    page = deployment.call("GET", "/", who=None)
    known = [("If-None-Match", str(page.header("etag")))]
    found = {
        "200 page": page,
        "200 script": deployment.call("GET", "/page/app.js", who=None),
        "200 contract": deployment.call("GET", "/openapi.json", who=None),
        "200 health": deployment.call("GET", "/healthz", who=None),
        "200 job": deployment.call("GET", f"/v1/stylizations/{has.painted}"),
        "200 list": deployment.call("GET", "/v1/stylizations"),
        "200 styles": deployment.call("GET", "/v1/styles"),
        "200 swatch": deployment.call("GET", "/v1/styles/woodcut/image"),
        "200 secret": deployment.call("GET", "/v1/webhook-secret"),
        "200 canceled": deployment.call("POST", f"/v1/stylizations/{has.waiting}/cancel"),
        "201 upload": deployment.call("POST", "/v1/uploads", body={"media_type": "image/png"}),
        "202 job": deployment.call("POST", "/v1/stylizations", body={"content": has.upload, "style": "woodcut"}),
        "303 image": deployment.call("GET", f"/v1/stylizations/{has.painted}/image"),
        "303 style": deployment.call("GET", f"/v1/styles/{has.style}/image"),
        "304 page": deployment.call("GET", "/", who=None, headers=known),
        "403 no key": deployment.call("GET", "/v1/styles", who=None),
        "404 job": deployment.call("GET", f"/v1/stylizations/{NEVER['stz']}"),
        "404 path": deployment.call("GET", "/nothing"),
        "404 file": deployment.call("GET", "/page/nothing.js"),
        "405": deployment.call("POST", "/v1/webhook-secret"),
        "409": deployment.call("POST", f"/v1/stylizations/{has.painted}/cancel"),
        "413": deployment.call("POST", "/v1/uploads", body={"media_type": "x" * 300_000}),
        "415": deployment.call("POST", "/v1/uploads", body=b"x"),
        "422": deployment.call("POST", "/v1/uploads", body={}),
    }
    link = found["303 image"].header("location")
    if deployment.name == "local":
        found["200 file"] = deployment.call("GET", str(link), who=None)
        found["400"] = deployment.send("GET", "/", [("Content-Length", "two")], b"")
    else:
        found["307 stage"] = deployment.send("GET", deployment.prefix, [], b"")
    for name, answer in found.items():
        assert answer.status == int(name[:3]), (name, answer.body)
    return found


def test_every_response_has_security_and_cache_headers(deployment: Deployment) -> None:
    for name, answer in answers(deployment).items():
        said = str(answer.header("cache-control"))
        if name in ("200 page", "200 script", "304 page"):
            assert said == "no-cache"
        elif name == "200 swatch":
            assert said.startswith("public")
        elif name in ("200 file", "303 style"):
            assert said.startswith("private"), name
        else:
            assert said == "no-store", name
        if answer.status == 304:
            continue  # its headers would replace those that the browser has kept with the page
        for header, value in HEADERS.items():
            given = answer.header(header)
            if header == "Content-Security-Policy":
                assert given is not None
                assert "frame-ancestors 'none'" in given, name
                assert "unsafe" not in given, name
            elif header == "Cross-Origin-Resource-Policy" and name == "200 file":
                assert given == "cross-origin"  # whom a link was given may show the picture in a page
            else:
                assert given == value, (name, header)
        assert answer.header("strict-transport-security") == (STRICT if deployment.name == "aws" else None), name
        assert answer.header("server") is None, name


@pytest.mark.parametrize("broken", ["get_style", "queue_depth"])
def test_crash_response_has_security_headers_and_no_details(
    aws_deployment: Deployment, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("the true reason")

    monkeypatch.setattr(Service, broken, fail)
    answer = aws_deployment.call("GET", {"get_style": "/v1/styles/woodcut", "queue_depth": "/healthz"}[broken])

    assert (answer.status, answer.header("cache-control")) == (500, "no-store")
    assert b"true reason" not in answer.body
    assert "the true reason" in aws_deployment.log()
    for header, value in HEADERS.items():
        assert answer.header(header) == value


def test_the_gateway_says_the_same_in_what_it_answers_by_itself() -> None:
    assert dict(OF_GATEWAY) == {**HEADERS, "Cache-Control": "no-store", "Strict-Transport-Security": STRICT}
