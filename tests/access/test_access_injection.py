"""Names that are paths, headers that hold more than one line, and lines of log that the caller has written."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import httpx
import pytest
from access.deployments import ANN, NEVER, Answer, Belongings, Deployment, Form, photo
from starlette.requests import ClientDisconnect
from starlette.types import Message

from stylizer_api.middleware import RequestContext

FORGED = "2026-01-01 00:00:00,000 server: forged"
LINES = f"x\r\nSet-Cookie: forged=1\r\n\r\n{FORGED}\x1b[31m\x00\u202e\u2028"
QUOTED = "x%0d%0aSet-Cookie:%20forged=1%0d%0a%0d%0a2026-01-01%2000:00:00,000%20server:%20forged%1b[31m%00%e2%80%ae"
ESCAPES = (
    "..",
    "../..",
    "..%2f..%2fsecret",
    "%2e%2e%2f%2e%2e%2fsecret",
    "%252e%252e%252fsecret",
    "..%5c..%5csecret",
    "..\\..\\secret",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "%00",
    f"{NEVER['stz']}%00",
    "%c0%ae%c0%ae%2fsecret",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fsecret",
    "%ff%fe",
    "%ed%a0%80",
    "~root",
    "*",
    "a" * 5000,
    QUOTED,
)
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (server|painter): [ -~]*")


def clean(answer: Answer) -> Answer:
    """Hold that nothing of what came has become a header."""
    assert not any("forged" in f"{name}{value}" or "\n" in value for name, value in answer.headers), answer.headers
    assert answer.header("set-cookie") is None
    return answer


def new_lines(deployment: Deployment, before: str) -> list[str]:
    """What has been logged since, after a look at whether each line is one of ours."""
    lines = deployment.log()[len(before) :].splitlines()
    for line in lines:
        if deployment.name == "aws":
            assert isinstance(json.loads(line), dict)
        else:
            assert LINE.fullmatch(line), repr(line)
    return lines


def test_no_path_parameter_leads_out_of_where_it_belongs(deployment: Deployment) -> None:
    before = deployment.log()
    for method, template in sorted(deployment.routes):
        for escape in ESCAPES if "{" in template else ():
            before_it, _, after_it = re.split(r"({\w+})", template)
            path = before_it + escape + after_it
            query = "?expires=9999999999&filename=x&signature=" + "0" * 64 if "/files/" in template else ""
            answer = clean(deployment.call(method, path + query))
            assert answer.status in range(400, 500), (path, answer.status)
            assert b"root:" not in answer.body
            json.loads(answer.body)
    assert new_lines(deployment, before)


def test_no_query_makes_a_list_or_a_link_say_more(deployment: Deployment) -> None:
    before = deployment.log()
    for escape in ESCAPES:
        for path in ("/v1/stylizations?cursor=", "/v1/stylizations?status=", "/v1/styles?cursor=", "/v1/styles?limit="):
            assert clean(deployment.call("GET", path + escape)).status == 422
        clean(deployment.call("GET", f"/?{escape}"))
    assert new_lines(deployment, before)


def test_file_and_field_names_reach_neither_disk_nor_header(deployment: Deployment) -> None:
    before = deployment.log()
    names = (
        "../../x",
        "/etc/cron.d/x",
        "..\\x",
        "x\x00y",
        "\x1b[31m",
        "\u202egpj.exe",
        "\udcff",
        "x" * 5000,
        "",
        "a;b=c",
    )
    for name in names:
        form = Form().add(f'; name="content"; filename="{name}"', photo()).add('; name="style"', b"woodcut")
        answer = clean(deployment.call("POST", "/v1/stylizations", body=form.body(), headers=form.headers()))
        assert answer.status in (202, 400, 422), (name, answer.body)
        form = Form().add(f'; name="{name}"', b"x").add('; name="content"; filename="a"', photo())
        answer = clean(deployment.call("POST", "/v1/stylizations", body=form.body(), headers=form.headers()))
        assert answer.status in (400, 422), (name, answer.body)
    if deployment.name == "local":
        folder = deployment.service.settings.data_dir
        assert {entry.name for entry in folder.parent.iterdir()} == {"data", "data.log"}
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", path.name) for path in folder.rglob("*"))
        assert {entry.name for entry in (folder / "blobs").iterdir()} <= {"uploads", "jobs", "styles"}
    assert new_lines(deployment, before)


def test_request_text_injects_neither_header_nor_log_line(deployment: Deployment) -> None:
    before, has = deployment.log(), Belongings.of(deployment)
    texts = (LINES, "\ud800", "../../secret", "<img src=x onerror=alert(1)>", "x" * 100_000)
    bodies: list[tuple[str, dict[str, object]]] = []
    for text in texts:
        fields = {"content": has.upload, "style": "woodcut"}
        bodies += [
            ("/v1/stylizations", {**fields, field: text}) for field in ("content", "style", "mask", "webhook", "method")
        ]
        bodies += [("/v1/stylizations", {**fields, "webhook": f"https://hooks.example.com/{text}"})]
        bodies += [
            ("/v1/stylizations", {**fields, text: 1}),
            ("/v1/uploads", {"media_type": text}),
            ("/v1/uploads", {text: 1}),
        ]
        bodies += [
            ("/v1/styles", {"upload": text, "title": "x"}),
            ("/v1/styles", {"upload": NEVER["upl"], "title": text}),
        ]
    for path, body in bodies:
        # A webhook may have any path, as long as it is written as one.
        assert clean(deployment.call("POST", path, body=body)).status in (202, 404, 422), (path, str(body)[:80])

    tab = "x\x0b\x1b[31m\t\xa0forged"
    for name in ("Content-Type", "Prefer", "If-None-Match", "Accept", "User-Agent", "Idempotency-Key", "X-Request-Id"):
        for value in (tab, "\xff\xfe", "x" * 5000):
            answer = clean(
                deployment.call("POST", "/v1/uploads", body={"media_type": "image/png"}, headers=[(name, value)])
            )
            assert answer.status in (201, 400, 415, 422, 431), (name, answer.status)
    assert new_lines(deployment, before)


def test_a_request_id_that_could_be_more_than_one_is_replaced(local_deployment: Deployment) -> None:
    for given in ("short", "x" * 129, "with space here", "esc\x1b[31mape!", "semi;colon=1", "ünïcödé-id"):
        said = local_deployment.call("GET", "/healthz", headers=[("X-Request-Id", given)]).header("x-request-id")
        assert re.fullmatch(r"[0-9a-f]{24}", str(said)), given


def test_path_of_a_failed_request_cannot_forge_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def ask() -> int:
        transport = httpx.ASGITransport(RequestContext(fail))
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            return (await client.get(f"/a%0a{FORGED}%1b[31m")).status_code

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(ask()) == 500
    [message] = [record.getMessage() for record in caplog.records if record.name == "stylizer_api.middleware"]
    assert message.isprintable()


def test_path_of_an_aborted_request_cannot_forge_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def leave(*_: object) -> None:
        raise ClientDisconnect

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": f"/a\n{FORGED}\x1b[31m", "headers": []}
    with caplog.at_level(logging.INFO):
        asyncio.run(RequestContext(leave)(scope, receive, send))
    [message] = [record.getMessage() for record in caplog.records if record.name == "stylizer_api.middleware"]
    assert message.isprintable()


def test_a_title_of_any_text_comes_back_as_text_and_nothing_else(deployment: Deployment) -> None:
    upload = deployment.upload()
    for title in ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\u202eb", "Ünïcode 🎨"):
        style = deployment.ask(ANN, "/v1/styles", {"upload": upload, "title": title})
        answer = clean(deployment.call("GET", f"/v1/styles/{style['id']}"))
        assert json.loads(answer.body)["title"] == title
        assert answer.header("content-type") == "application/json"
