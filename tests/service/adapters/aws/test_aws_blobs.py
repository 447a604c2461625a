"""What S3 is asked for, beyond what every store of files promises."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError
from cloud.fault_proxy import THROTTLED, Line, break_off, lose, refuse
from moto.backends import get_backend

from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.blobs import S3Blobs
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import ApiSettings, PainterSettings
from stylizer_service.clock import SystemClock
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Blobs, Unavailable
from stylizer_service.usecases import Service

KEY = "jobs/a/b/result.webp"
FORBIDDEN = refuse(403, b"<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>")
FAILED = refuse(500, b"<Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>")


@pytest.fixture
def blobs(service: Service) -> Blobs:
    return service.ports.blobs


@pytest.fixture(params=["eu-west-3", "us-east-1"])
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def real(region: str, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """As on AWS, to see what it would sign: it is asked for nothing that needs a request."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")  # as functions have one
    return S3Blobs(Clients().s3, "some-results", "some-uploads", SystemClock())


def in_minutes(minutes: float) -> datetime:
    return SystemClock().now() + timedelta(minutes=minutes)


def policy_of(fields: dict[str, str]) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(base64.b64decode(fields["policy"]))
    return policy


# Links and forms


def test_link_serves_the_file_with_its_name_and_type(blobs: Blobs) -> None:
    blobs.put(KEY, b"painting", "text/html")  # the stored content type does not count

    answer = httpx.get(blobs.url(KEY, expires_at=in_minutes(15), filename="stz_a.webp"))

    assert answer.content == b"painting"
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["content-disposition"] == 'inline; filename="stz_a.webp"'


def test_link_targets_the_regional_bucket_and_expires(real: Blobs, region: str) -> None:
    url = urlsplit(real.url(KEY, expires_at=in_minutes(15), filename="stz_a.webp"))

    assert (url.scheme, url.netloc, url.path) == ("https", f"some-results.s3.{region}.amazonaws.com", f"/{KEY}")
    query = parse_qs(url.query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert 890 <= int(query["X-Amz-Expires"][0]) <= 900


def test_on_one_machine_a_link_needs_no_name_of_the_buckets_own(blobs: Blobs, line: Line) -> None:
    url = blobs.url(KEY, expires_at=in_minutes(15), filename="x")

    assert url.startswith(f"{line.address}/test-")


def test_form_policy_allows_one_key_type_and_length(real: Blobs, region: str) -> None:
    form = real.upload_form("uploads/u/file", media_type="image/png", max_bytes=99, expires_at=in_minutes(15))
    policy = policy_of(form.fields)

    assert form.url == f"https://some-uploads.s3.{region}.amazonaws.com/"
    signed = {name: value for name, value in form.fields.items() if name not in ("policy", "x-amz-signature")}
    exact = [condition for condition in policy["conditions"] if isinstance(condition, dict)]
    # Every field has its condition, and every condition says exactly what: none may only begin so.
    assert {name: value for condition in exact for name, value in condition.items()} == {
        **signed,
        "bucket": "some-uploads",
    }
    assert (signed["key"], signed["Content-Type"]) == ("uploads/u/file", "image/png")
    assert [condition for condition in policy["conditions"] if condition not in exact] == [
        ["content-length-range", 1, 99]
    ]
    ends = datetime.fromisoformat(policy["expiration"])
    assert in_minutes(14.8) < ends <= in_minutes(15)


def test_the_time_of_a_link_is_told_by_the_clock_of_the_service(service: Service, clock: Any) -> None:
    clock.advance(days=3)
    url = service.ports.blobs.url(KEY, expires_at=clock.now() + timedelta(minutes=5), filename="x")

    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["300"]


# Reading


def test_opening_a_file_is_one_request_however_it_is_read(blobs: Blobs, line: Line) -> None:
    data = os.urandom(2**20)
    blobs.put(KEY, data, "image/webp")
    line.seen.clear()

    with blobs.open(KEY) as file:
        assert file.seek(0, os.SEEK_END) == len(data)
        file.seek(0)
        assert file.read(4096) + file.read() == data
        file.seek(9)
        assert file.read() == data[9:]

    assert line.count("GET") == len(line.seen) == 1


def test_replaced_file_is_read_as_it_was_when_opened(blobs: Blobs) -> None:
    blobs.put(KEY, b"before", "image/webp")
    with blobs.open(KEY) as file:
        blobs.put(KEY, b"after", "image/webp")
        assert file.read() == b"before"


def test_forbidden_file_is_not_reported_as_missing(blobs: Blobs, line: Line) -> None:
    blobs.put(KEY, b"painting", "image/webp")
    for request, call in (
        ("GET", lambda: blobs.open(KEY)),
        ("HEAD", lambda: blobs.size(KEY)),
        ("PUT", lambda: blobs.copy(KEY, "jobs/b/content")),
    ):
        line.go_wrong(request, FORBIDDEN)
        with pytest.raises(ClientError, match=r"AccessDenied|403"):
            call()


def test_an_answer_that_breaks_off_is_asked_for_again(blobs: Blobs, line: Line) -> None:
    data = os.urandom(1000)
    blobs.put(KEY, data, "image/webp")
    line.go_wrong("GET", break_off, times=2)

    with blobs.open(KEY) as file:
        assert file.read() == data


def test_truncated_copy_and_list_responses_are_transient(blobs: Blobs, line: Line) -> None:
    blobs.put("jobs/a/content", b"photo", "image/png")
    line.go_wrong("PUT", break_off, times=9)
    with pytest.raises(Unavailable):
        blobs.copy("jobs/a/content", "jobs/b/content")
    line.go_wrong("GET", break_off, times=9)
    with pytest.raises(Unavailable):
        blobs.delete_folder("jobs/a/")


def test_answers_that_always_break_off_are_an_error(blobs: Blobs, line: Line) -> None:
    blobs.put(KEY, os.urandom(1000), "image/webp")
    line.go_wrong("GET", break_off, times=99)

    with pytest.raises(Unavailable, match="S3 broke off 3 answers"):
        blobs.open(KEY)


def test_a_picture_that_cannot_be_fetched_is_not_called_broken(
    service: Service,
    line: Line,
    picture: Callable[..., bytes],
    aws_settings: ApiSettings,
) -> None:
    upload = service.create_upload("ann", "image/png")
    service.ports.blobs.put(upload.fields["key"], picture(), "image/png")
    line.go_wrong(f"GET /{aws_settings.results_bucket}/jobs/", FAILED, times=99)

    with pytest.raises(Unavailable, match="GetObject was refused, the last time with 500 InternalError"):
        service.create_stylization("ann", StylizationRequest(content=upload.id, style="ink"))


# Writing and deleting


def test_file_and_its_copy_keep_their_content_type(blobs: Blobs, clients: Clients, aws_settings: ApiSettings) -> None:
    blobs.put("uploads/u/file", b"photo", "image/heic")
    blobs.copy("uploads/u/file", "jobs/a/content")

    for bucket, key in (
        (aws_settings.uploads_bucket, "uploads/u/file"),
        (aws_settings.results_bucket, "jobs/a/content"),
    ):
        assert clients.s3.head_object(Bucket=bucket, Key=key)["ContentType"] == "image/heic"


def test_s3_that_is_asked_too_much_is_asked_again(blobs: Blobs, line: Line) -> None:
    line.go_wrong("PUT", refuse(*THROTTLED["s3"]))

    blobs.put(KEY, b"painting", "image/webp")

    assert (line.count("PUT"), blobs.size(KEY)) == (2, 8)


def test_a_file_whose_receipt_was_lost_is_sent_again(blobs: Blobs, line: Line) -> None:
    line.go_wrong("PUT", lose)

    assert blobs.put(KEY, b"painting", "image/webp") == 8
    assert (line.count("PUT"), blobs.size(KEY)) == (2, 8)


def test_folder_larger_than_one_request_is_deleted_whole(
    blobs: Blobs, line: Line, clients: Clients, aws_settings: ApiSettings
) -> None:
    bucket = aws_settings.results_bucket
    moto: Any = get_backend("s3")["123456789012"]["aws"]  # a thousand requests would take seconds
    for index in range(1001):
        moto.put_object(bucket, f"jobs/a/{index}", b"")

    blobs.delete_folder("jobs/a/")

    assert clients.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert line.count("POST") == 2


def test_a_file_that_would_not_go_is_an_error(blobs: Blobs, line: Line) -> None:
    blobs.put(KEY, b"x", "image/webp")
    error = b"<Error><Key>jobs/a/b</Key><Code>AccessDenied</Code><Message>not yours</Message></Error>"
    line.go_wrong("POST", refuse(200, b"<DeleteResult>" + error + b"</DeleteResult>"))

    with pytest.raises(OSError, match=r"jobs/a/b and 0 more were not deleted: AccessDenied: not yours"):
        blobs.delete_folder("jobs/a/")


@pytest.mark.parametrize("prefix", ["", "jobs/a"])
def test_only_a_folder_can_be_deleted(blobs: Blobs, prefix: str) -> None:
    with pytest.raises(ValueError, match="must end with a slash"):
        blobs.delete_folder(prefix)


def test_a_painter_does_not_reach_the_uploads(aws_settings: ApiSettings, clients: Clients) -> None:
    settings = PainterSettings(**aws_settings.model_dump(include=set(PainterSettings.model_fields)))
    painters = open_ports(settings, clients=clients).blobs

    assert painters.put("jobs/a/content", b"photo", "image/png") == 5
    with pytest.raises(PermissionError, match="not given the bucket of the uploads"):
        painters.open("uploads/u/file")
