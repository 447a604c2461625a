from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from uploads import store_upload

from stylizer_api.access_log import log, log_as_json
from stylizer_api.gateway import Handler, make_handler, prefix_and_path
from stylizer_service.adapters.local import Local
from stylizer_service.usecases import Service

FORM_BYTES = 60_000
KEYS = {"secret-of-ann": "ann", "secret-of-bob": "bob"}

Behind = Callable[..., httpx.Client]
Finish = Callable[[str], None]
Json = dict[str, Any]


@pytest.fixture
def handler(local: Local) -> Handler:
    return make_handler(local.service, form_bytes=FORM_BYTES)


@pytest.fixture
def ann(behind_gateway: Behind, handler: Handler) -> httpx.Client:
    return behind_gateway(handler, "secret-of-ann", keys=KEYS)


@pytest.fixture
def anonymous(behind_gateway: Behind, handler: Handler) -> httpx.Client:
    return behind_gateway(handler, keys=KEYS)


def paint(client: httpx.Client, photo: bytes, **fields: str) -> Json:
    answer = client.post("/v1/stylizations", files={"content": ("cat.jpg", photo)}, data={"style": "ink", **fields})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def follow(client: httpx.Client, link: str) -> httpx.Response:
    """Fetch a path as a caller would: on the same host, from its root."""
    return client.get(f"https://api.test{link}")


def gateway_of(client: httpx.Client) -> Any:
    return client._transport


# Who calls


def test_calls_without_a_key_are_refused_except_open_pages(anonymous: httpx.Client) -> None:
    calls = [("GET", "styles"), ("GET", "styles/ink/image"), ("POST", "uploads"), ("GET", "stylizations/stz_x")]
    for method, path in calls:
        body = {"media_type": "image/png"} if method == "POST" else None
        answer = anonymous.request(method, f"/v1/{path}", json=body)
        assert answer.status_code == 403, path
        assert (answer.json()["type"], answer.json()["field"]) == ("/problems/missing-api-key", "X-Api-Key")
    for path in ("/", "/docs", "/healthz", "/openapi.json", "/page/app.js", "/favicon.ico"):
        assert anonymous.get(path).status_code == 200, path


def test_no_header_makes_a_caller_someone_else(ann: httpx.Client, anonymous: httpx.Client, photo: bytes) -> None:
    job = paint(ann, photo)
    for name in ("X-Api-Key", "X-Api-Key-Id", "X-Amzn-Api-Key-Id", "apiKeyId", "Authorization", "X-Owner"):
        assert anonymous.get(f"/v1/stylizations/{job['id']}", headers={name: "ann"}).status_code == 403


# Bodies


def test_a_photo_in_a_form_arrives_byte_for_byte(ann: httpx.Client, local: Local, photo: bytes) -> None:
    job = paint(ann, photo, seed="7")

    assert gateway_of(ann).events[-1]["isBase64Encoded"]
    with local.blobs.open(f"jobs/{job['id']}/content") as file:
        assert file.read() == photo
    assert job["options"]["seed"] == 7


def test_pictures_are_sent_as_base64_and_all_text_as_text(ann: httpx.Client, local: Local) -> None:
    swatch = ann.get("/v1/styles/ink/image")
    assert swatch.content == local.service.catalog["ink"].swatch.read_bytes()
    assert gateway_of(ann).answers[-1]["isBase64Encoded"]

    for path in ("/", "/docs", "/openapi.json", "/page/app.js", "/page/base.css", "/page/icon.svg", "/nothing"):
        assert ann.get(path).text
        assert not gateway_of(ann).answers[-1]["isBase64Encoded"], path


def test_oversized_form_is_refused_and_points_to_uploads(ann: httpx.Client, photo: bytes) -> None:
    answer = ann.post("/v1/stylizations", files={"content": ("a", photo + bytes(FORM_BYTES))}, data={"style": "ink"})

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (413, "/problems/too-large")
    assert "POST /v1/uploads" in problem["detail"]
    assert problem["allowed"] == f"at most {FORM_BYTES} bytes"


# Where the API is mounted


@pytest.mark.parametrize(
    "mount", [{"prefix": "/prod"}, {"prefix": "/v1"}, {"prefix": "/art", "is_custom": True}, {"prefix": ""}]
)
def test_links_keep_the_prefix_of_the_request(
    behind_gateway: Behind, handler: Handler, local: Local, photo: bytes, finish: Finish, mount: Json
) -> None:
    client = behind_gateway(handler, "secret-of-ann", keys=KEYS, **mount)
    prefix = mount["prefix"]

    created = client.post("/v1/stylizations", files={"content": ("a", photo)}, data={"style": "ink"})
    path = f"{prefix}/v1/stylizations/{created.json()['id']}"
    assert created.headers["location"] == created.json()["links"]["self"] == path
    finish(created.json()["id"])
    for job in (follow(client, path).json(), client.get("/v1/stylizations").json()["items"][0]):
        assert job["links"] == {"self": path, "image": f"{path}/image", "cancel": f"{path}/cancel"}
        assert job["preview"] == f"{path}/preview"
        assert job["result"]["url"].startswith(f"{prefix}/v1/files/")
    assert follow(client, f"{path}/image").headers["location"].startswith(f"{prefix}/v1/files/")

    style = client.post("/v1/styles", json={"upload": store_upload(local.service, photo, "ann"), "title": "Mine"})
    assert style.headers["location"] == f"{prefix}/v1/styles/{style.json()['id']}"
    for entry in client.get("/v1/styles").json()["items"]:
        assert follow(client, entry["links"]["self"]).json() == entry
        assert follow(client, entry["links"]["image"]).status_code in (200, 303)


def test_the_contract_names_the_stage_and_the_key(ann: httpx.Client) -> None:
    contract = ann.get("/openapi.json").json()

    assert contract["servers"][0] == {"url": "/prod"}
    assert contract["components"]["securitySchemes"]["ApiKey"]["name"] == "X-Api-Key"
    for path, calls in contract["paths"].items():
        for call in calls.values():
            assert call.get("security") == ([] if path == "/healthz" else [{"ApiKey": []}])


def test_a_stage_without_a_slash_leads_to_the_page(ann: httpx.Client) -> None:
    bare = follow(ann, "/prod")
    assert bare.is_redirect
    assert follow(ann, bare.headers["location"]).headers["content-type"].startswith("text/html")


def test_problems_are_found_at_the_right_call_below_a_prefix(ann: httpx.Client) -> None:
    wrong = ann.post("/v1/stylizations", json={"content": "upl_" + "a" * 26, "style": "ink", "size": 1})
    not_taken = ann.post("/v1/styles/ink")
    lost = ann.get("/v1/nothing%20here")

    assert (wrong.json()["field"], wrong.json()["allowed"]) == ("size", "a whole number from 64 to 8192, or original")
    assert (not_taken.status_code, not_taken.json()["allowed"]) == (405, ["GET"])
    assert (lost.status_code, lost.json()["type"]) == (404, "/problems/not-found")


# Ids and waiting


def test_the_id_of_a_request_is_the_one_that_the_gateway_gave_it(ann: httpx.Client) -> None:
    answer = ann.get("/v1/nothing", headers={"X-Request-Id": "forged-by-the-caller"})

    given = gateway_of(ann).events[-1]["requestContext"]["requestId"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == given


def test_wait_ends_before_the_function_timeout(
    behind_gateway: Behind,
    handler: Handler,
    photo: bytes,
    local: Local,
    finish: Finish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def send(wait: int, seconds: float) -> httpx.Response:
        client = behind_gateway(handler, "secret-of-ann", keys=KEYS, seconds=seconds)
        files, headers = {"content": ("a", photo)}, {"Prefer": f"wait={wait}"}
        return client.post("/v1/stylizations", files=files, data={"style": "ink"}, headers=headers)

    hurried = send(100, seconds=3)
    assert (hurried.status_code, hurried.headers["preference-applied"]) == (202, "wait=1")
    assert send(100, seconds=0.5).headers["preference-applied"] == "wait=0"

    look = Service.get_stylization

    def painted_meanwhile(service: Service, owner: str, job_id: str) -> object:
        if look(service, owner, job_id).status == "queued":
            finish(job_id)
        return look(service, owner, job_id)

    monkeypatch.setattr(Service, "get_stylization", painted_meanwhile)
    waited = send(100, seconds=25)
    assert (waited.status_code, waited.json()["status"]) == (200, "succeeded")
    assert waited.headers["preference-applied"] == f"wait={local.service.settings.max_wait:.0f}"


# Logs and metrics


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Json]]:
    """What has been written to the log since the last look."""
    out = io.StringIO()
    monkeypatch.setattr(log.registered_handler, "stream", out)

    def read() -> list[Json]:
        text = out.getvalue() + capsys.readouterr().out
        out.seek(0)
        out.truncate()
        return [json.loads(line) for line in text.splitlines()]

    return read


def counted(lines: list[Json], name: str) -> list[Json]:
    """The metrics of a name, after a look at whether CloudWatch would take them."""
    found = []
    for line in lines:
        if "_aws" not in line or name not in line:
            continue
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "ImageStylizer"
        assert name in [metric["Name"] for metric in directive["Metrics"]]
        for dimension in directive["Dimensions"][0]:
            assert isinstance(line[dimension], str)
        found.append({key: line[key] for key in (name, *directive["Dimensions"][0])})
    return found


def test_metrics_count_requests_accepted_paintings_and_problems(
    ann: httpx.Client, photo: bytes, lines: Callable[[], list[Json]]
) -> None:
    files, data = {"content": ("a", photo)}, {"style": "ink", "method": "texture"}
    for _ in range(2):  # of which the second is answered with the job of the first
        ann.post("/v1/stylizations", files=files, data=data, headers={"Idempotency-Key": "one"})
    ann.get("/v1/styles/nope")
    told = lines()

    texture = {"StylizationsAccepted": [1.0], "method": "texture", "service": "api"}
    assert counted(told, "StylizationsAccepted") == [texture]
    assert counted(told, "Problems") == [{"Problems": [1.0], "problem": "not-found", "service": "api"}]
    assert counted(told, "Requests") == [{"Requests": [1.0], "service": "api"}] * 3
    assert [entry["ClientErrors"] for entry in counted(told, "ClientErrors")] == [[0.0], [0.0], [1.0]]
    assert all(entry["Latency"][0] > 0 for entry in counted(told, "Latency"))


def test_the_log_says_who_asked_for_what_and_keeps_secrets(
    ann: httpx.Client, photo: bytes, lines: Callable[[], list[Json]]
) -> None:
    job = paint(ann, photo)
    ann.get(f"/v1/stylizations/{job['id']}?signature=s3cr3t")
    told = lines()

    entry = next(line for line in told if line.get("route") == "/v1/stylizations/{id}")
    assert entry["request_id"] == gateway_of(ann).events[-1]["requestContext"]["requestId"]
    assert (entry["owner"], entry["status"], entry["path_parameters"]) == ("ann", 200, {"id": job["id"]})
    assert [line["route"] for line in told if line.get("job_id") == job["id"]] == ["/v1/stylizations"]
    text = json.dumps(told)
    for secret in ("s3cr3t", "secret-of-ann", "JFIF"):
        assert secret not in text


def test_a_crash_is_logged_with_its_traceback_and_its_request(
    ann: httpx.Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[Json]]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the true reason")

    monkeypatch.setattr(Service, "get_style", broken)
    others, out = logging.getLogger("stylizer_api.middleware"), io.StringIO()
    handler = logging.StreamHandler(out)
    log_as_json([handler])
    monkeypatch.setattr(others, "handlers", [handler])
    answer = ann.get("/v1/styles/ink")

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    entry = json.loads(out.getvalue())
    assert (entry["request_id"], entry["owner"]) == (answer.json()["request_id"], "ann")
    assert "the true reason" in entry["exception"]
    assert counted(lines(), "ServerErrors") == [{"ServerErrors": [1.0], "service": "api"}]


@pytest.mark.parametrize("broken", ["append_keys", "info", "metrics"])
def test_a_request_is_answered_even_if_it_cannot_be_told_of(
    ann: httpx.Client, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left")

    if broken == "metrics":
        monkeypatch.setattr("stylizer_api.access_log.EphemeralMetrics", fail)
    else:
        monkeypatch.setattr(log, broken, fail)
    assert ann.get("/v1/styles/ink").json()["title"] == "In ink"


@pytest.mark.parametrize(
    ("resource", "parameters", "whole", "prefix"),
    [
        ("/{proxy+}", {"proxy": "v1/styles"}, "/prod/v1/styles", "/prod"),
        ("/{proxy+}", {"proxy": "v1/styles"}, "/prod/v1/styles/", "/prod"),
        ("/v1/styles/{id}", {"id": "a b"}, "/prod/v1/styles/a%20b", "/prod"),
        ("/v1/styles/{id}", {"id": "v1"}, "/v1/v1/styles/v1", "/v1"),
        ("/v1/styles", None, "/v1/styles", ""),  # a domain of one's own, without a base path
        ("/", None, "/prod/", "/prod"),
        ("/", None, "/", ""),
        ("/v1/styles", None, "/of/something/else", ""),
    ],
)
def test_the_prefix_is_what_stands_before_the_resource(
    resource: str, parameters: dict[str, str] | None, whole: str, prefix: str
) -> None:
    event = {"resource": resource, "pathParameters": parameters, "requestContext": {"path": whole}}

    assert prefix_and_path(event) == (prefix, unquote(whole))


@pytest.mark.parametrize(
    ("allowed", "origin", "granted"),
    [
        ((), "https://page.test", None),
        (("https://page.test",), "https://page.test", "https://page.test"),
        (("https://page.test",), "https://other.test", None),
        (("*",), "https://other.test", "*"),
    ],
)
def test_allowed_origin_may_read_responses_and_problems(
    local: Local, behind_gateway: Behind, allowed: tuple[str, ...], origin: str, granted: str | None
) -> None:
    handler = make_handler(local.service, form_bytes=FORM_BYTES, allowed_origins=allowed)
    client = behind_gateway(handler, "secret-of-ann", keys=KEYS)
    for path in ("/v1/styles", "/v1/stylizations/stz_nothing"):
        answer = client.get(path, headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == granted
        if granted:
            assert "Retry-After" in answer.headers["access-control-expose-headers"]
