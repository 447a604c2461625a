"""Access control: local callers without keys, key holders with keys, and rate limits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from stylizer_server.rate_limits import TokenBuckets

Serve = Callable[..., AbstractContextManager[Any]]


def problem_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, problem["type"].removeprefix("/problems/"), problem["field"]


def test_missing_or_unknown_key_is_refused_with_403(serve: Serve) -> None:
    answers = []
    with serve(with_keys=True) as running:
        running.local.keys.add("ann")
        for key in (None, "ann", b"stz_key_\xe4"):
            with running.client(key) as client:
                answers += [client.get("/v1/nothing"), client.post("/v1/stylizations", content=b"not even JSON")]
    assert {problem_of(answer) for answer in answers} == {(403, "missing-api-key", "X-Api-Key")}


def test_key_above_its_rate_limit_gets_429_alone(serve: Serve) -> None:
    with serve(with_keys=True, rate_limit=0.01, rate_burst=3) as running:
        ann, bob = (running.client(running.local.keys.add(name)) for name in ("ann", "bob"))
        with ann, bob:
            answers = [ann.get("/v1/styles") for _ in range(4)]

            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
            assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=3;w=300'}
            assert problem_of(answers[-1])[:2] == (429, "throttled")
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 100
            assert bob.get("/v1/styles").status_code == 200
            assert ann.get("/").status_code == 200


def test_address_above_its_rate_limit_gets_429_alone(serve: Serve) -> None:
    with serve(with_keys=True, address_rate_limit=0.01, address_rate_burst=3) as running:
        key = running.local.keys.add("ann")
        with running.client() as client, running.client(**{"X-Forwarded-For": "203.0.113.9"}) as other:
            answers = [client.get(path) for path in ("/", "/healthz", "/v1/files/x", "/page/app.js")]
            assert [answer.status_code for answer in answers] == [200, 200, 403, 429]
            assert problem_of(answers[-1])[1] == "throttled"
            assert other.get("/healthz").status_code == 200
        with running.client(key) as ann:
            assert ann.get("/v1/styles").status_code == 200


def test_key_guesses_are_throttled_except_known_keys(serve: Serve) -> None:
    with serve(with_keys=True, wrong_keys=3) as running:
        right, late = (running.local.keys.add(name) for name in ("ann", "bob"))
        with running.client(right) as ann, running.client(late) as bob:
            assert ann.get("/v1/styles").status_code == 200
            for number in range(3):
                with running.client(f"stz_key_{number:043d}") as guessing:
                    last = guessing.get("/v1/styles")
            assert problem_of(last)[1] == "throttled"
            assert int(last.headers["retry-after"]) >= 1
            assert ann.get("/v1/styles").status_code == 200
            # A valid key that was never used before counts as a guess.
            assert problem_of(bob.get("/v1/styles"))[:2] == (429, "throttled")
            with running.client(late, **{"X-Forwarded-For": "203.0.113.9"}) as elsewhere:
                assert elsewhere.get("/v1/styles").status_code == 200


def test_server_without_keys_has_no_rate_limits(serve: Serve) -> None:
    with serve(rate_limit=0.01, rate_burst=1) as running, running.client() as client:
        answers = [client.get("/v1/styles") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


def test_only_local_host_headers_are_served_at_any_port(serve: Serve) -> None:
    with serve() as running:
        for host in ("evil.example", "127.0.0.1.evil.example:8000", "203.0.113.5", "", "[x", "localhost@evil"):
            with running.client(Host=host) as client:
                answers = [client.get("/"), client.get("/v1/stylizations"), client.get("/healthz")]
            assert {problem_of(answer) for answer in answers} == {(403, "foreign-site", "Host")}, host
        for host in ("LOCALHOST:9000", "127.0.0.1:1", "127.8.8.8", "[::1]:8000", "painter.localhost"):
            with running.client(Host=host) as client:
                assert client.get("/v1/styles").status_code == 200, host


def test_cross_origin_post_is_refused(serve: Serve) -> None:
    with serve() as running, running.client() as client:
        own = str(client.base_url)
        body = {"media_type": "image/png"}
        for origin in ("https://evil.example", "null", "http://localhost:1", f"{own}.evil.example", ""):
            refused = client.post("/v1/uploads", json=body, headers={"Origin": origin})
            assert problem_of(refused) == (403, "foreign-site", "Origin"), origin
        assert client.post("/v1/uploads", json=body, headers={"Origin": own}).status_code == 201
        assert client.post("/v1/uploads", json=body).status_code == 201
        assert client.get("/v1/styles", headers={"Origin": "https://evil.example"}).status_code == 200


def test_allowed_host_is_served(serve: Serve) -> None:
    with serve(allowed_hosts=("Paint.example",)) as running:
        with running.client(Host="paint.example", Origin="https://paint.example") as client:
            assert client.post("/v1/uploads", json={"media_type": "image/png"}).status_code == 201
        with running.client(Host="other.example") as client:
            assert problem_of(client.get("/"))[1] == "foreign-site"


def test_token_bucket_grants_burst_then_rate() -> None:
    now = 0.0
    buckets = TokenBuckets(2.0, 3, clock=lambda: now)

    assert [buckets.take("ann").is_granted for _ in range(4)] == [True, True, True, False]
    assert buckets.take("ann").retry_after == pytest.approx(0.5)
    assert buckets.take("bob").remaining == 2
    now = 0.5
    assert [buckets.take("ann").is_granted for _ in range(2)] == [True, False]
    now = 100.0
    assert buckets.take("ann").remaining == 2


def test_token_buckets_evict_full_and_oldest() -> None:
    now = 0.0
    buckets = TokenBuckets(1.0, 1, clock=lambda: now, max_buckets=10)
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets) == 10
    now = 2.0
    buckets.take("new")
    assert len(buckets) == 1


def test_unsigned_form_is_refused_before_its_file(serve: Serve) -> None:
    part = b'--X\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b'
    fields = [part % (name, b"", b"anything\r\n") for name in (b"key", b"Content-Type", b"policy", b"signature")]
    with serve(with_keys=True) as running, running.connect() as connection:
        connection.sendall(
            b"POST /v1/uploads/upl_x/file HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: 9999999\r\n\r\n"
            + b"".join(fields)
            + part % (b"file", b'; filename="x"', b"")  # without the file itself
        )
        assert connection.recv(12) == b"HTTP/1.1 403"


def test_upload_without_disk_space_gets_507_with_retry_after(serve: Serve, photo: bytes) -> None:
    with serve(with_keys=True, min_free=2**60) as running, running.client(running.local.keys.add("ann")) as client:
        answers = [
            client.post("/v1/uploads", json={"media_type": "image/png"}),
            client.post("/v1/uploads/upl_x/file", files={"file": photo}),
            client.post("/v1/stylizations", files={"content": photo}, data={"style": "ink"}),
        ]
    assert {problem_of(answer) for answer in answers} == {(507, "storage-full", None)}
    assert {answer.headers["retry-after"] for answer in answers} == {"60"}


def test_forwarded_remote_client_without_keys_is_refused(serve: Serve) -> None:
    with serve(allowed_hosts=("paint.example",)) as running:
        for host, client, status in (
            ("localhost", "203.0.113.9", 403),
            ("localhost", "not an address", 403),
            ("localhost", "127.0.0.1", 200),
            ("paint.example", "203.0.113.9", 200),
        ):
            with running.client(Host=host, **{"X-Forwarded-For": client}) as caller:
                answer = caller.get("/v1/styles")
                assert answer.status_code == status, (host, client)
                if status == 403:
                    assert problem_of(answer) == (403, "foreign-site", "X-Forwarded-For")


def test_full_database_gets_507_and_stays_readable(serve: Serve) -> None:
    with serve() as running, running.client() as client:
        running.local.database.run("PRAGMA max_page_count = 1")  # no more than it has now
        for _ in range(500):
            answer = client.post("/v1/uploads", json={"media_type": "image/png"})
            if answer.status_code != 201:
                break
        assert problem_of(answer) == (507, "storage-full", None)
        assert answer.headers["retry-after"] == "60"
        assert client.get("/v1/stylizations").status_code == 200
