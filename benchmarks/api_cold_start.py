"""Time and peak memory of the API's function from a cold interpreter to its first response, beside bare imports.

    python -m benchmarks.api_cold_start --runs 10       # a table; `make bench` uses --json

The baseline is FastAPI, Mangum and three boto3 clients that answer one event from one empty route. The function runs as
in Lambda, tracing included; AWS is moto's server on this machine, warmed up beforehand, so that waiting for it takes
milliseconds. The minimum of several runs counts, since other load only adds time.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
OWNER = "bench"
FAKE = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# Lambda's environment, including the trace ID that enables tracing.
LAMBDA = {
    "LAMBDA_TASK_ROOT": str(ROOT),
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
}
NAMES = {
    "STYLIZER_TABLE": "bench",
    "STYLIZER_UPLOADS_BUCKET": "bench-uploads",
    "STYLIZER_RESULTS_BUCKET": "bench-results",
    "STYLIZER_STYLES_DIR": str(ROOT / "core" / "stylizer" / "styles"),
}
KINDS = {"bare": "bare FastAPI, Mangum, boto3", "health": "GET /healthz", "paint": "POST /v1/stylizations"}


class Start(NamedTuple):
    """A cold start: seconds from process start to the first response, and peak MiB up to then."""

    seconds: float
    mebibytes: float


def main() -> None:
    """Measure, and print a table or JSON; in a child process, answer one event and print its cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api_cold_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="cold starts of each kind (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print seconds and MiB of each kind as JSON")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _answer_once(arguments.child)
        return
    least = _measure(arguments.runs)
    if arguments.json:
        print(json.dumps(least))
        return
    print(f"{'first answer':30} {'seconds':>8} {'ratio':>6} {'MiB':>5} {'ratio':>6}    least of {arguments.runs}")
    for kind, title in KINDS.items():
        seconds, mebibytes = least[kind]
        beside = f"{seconds / least['bare'].seconds:6.2f} {mebibytes:5.0f} {mebibytes / least['bare'].mebibytes:6.2f}"
        print(f"{title:30} {seconds:8.2f} {beside}")


def _measure(runs: int) -> dict[str, Start]:
    """Return the minimum for each kind."""
    starts: dict[str, list[Start]] = {kind: [] for kind in KINDS}
    with _fake_aws() as environment:
        for _ in range(runs):  # interleave kinds, so that background load affects all of them
            for kind, of_kind in starts.items():
                of_kind.append(_start(kind, environment))
    return {kind: Start(*map(min, zip(*of_kind, strict=True))) for kind, of_kind in starts.items()}


def _start(kind: str, environment: Mapping[str, str]) -> Start:
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.api_cold_start", "--child", kind]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=120
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return Start(told["at"] - began, told["mebibytes"])


@contextmanager
def _fake_aws() -> Iterator[dict[str, str]]:
    """Create a stage with one upload on moto; yield the environment of its function."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would log every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= FAKE | NAMES | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    try:
        yield {**os.environ, **_make_stage(), **LAMBDA}
    finally:
        server.stop()


def _make_stage() -> dict[str, str]:
    import boto3
    from PIL import Image

    from stylizer_service.adapters.aws import open_aws
    from stylizer_service.adapters.aws.schema import table_schema
    from stylizer_service.adapters.aws.settings import ApiSettings
    from stylizer_service.inputs import upload_key

    boto3.client("dynamodb").create_table(**table_schema(NAMES["STYLIZER_TABLE"]))
    for name in ("STYLIZER_UPLOADS_BUCKET", "STYLIZER_RESULTS_BUCKET"):
        boto3.client("s3").create_bucket(
            Bucket=NAMES[name], CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    queues = [boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("paint", "webhooks")]
    places = {"STYLIZER_QUEUE_URL": queues[0], "STYLIZER_WEBHOOK_QUEUE_URL": queues[1]}
    os.environ |= places
    photo = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(photo, "JPEG")
    service = open_aws(ApiSettings())
    upload = service.create_upload(OWNER, "image/jpeg").id
    service.ports.blobs.put(upload_key(upload), photo.getvalue(), "image/jpeg")
    return {**places, "BENCH_UPLOAD": upload}


def _answer_once(kind: str) -> None:
    """Answer one event as the function or as the baseline; print the time and the peak memory."""
    handler = _bare_handler() if kind == "bare" else _handler()
    body = json.dumps({"content": os.environ["BENCH_UPLOAD"], "style": "woodcut"}) if kind == "paint" else None
    path = "/v1/stylizations" if kind == "paint" else "/healthz"
    context = SimpleNamespace(aws_request_id="0", get_remaining_time_in_millis=lambda: 25_000)
    answer = handler(_event("POST" if body else "GET", path, body), context)
    at = time.monotonic()
    if answer["statusCode"] >= 300:
        raise SystemExit(f"{kind} was answered {answer['statusCode']}: {answer['body']}")
    # Not ru_maxrss, which starts at the parent process's value.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"at": at, "mebibytes": int(peak.split()[1]) / 2**10}))


def _handler() -> Any:
    from stylizer_api.lambda_handler import handler

    return handler


def _bare_handler() -> Any:
    import boto3
    from fastapi import FastAPI
    from mangum import Mangum

    app = FastAPI()

    @app.get("/healthz")
    def get_health() -> dict[str, str]:
        return {"status": "ok"}

    for name in ("dynamodb", "s3", "sqs"):
        boto3.client(name)
    return Mangum(app, lifespan="off")


def _event(method: str, path: str, body: str | None) -> dict[str, Any]:
    headers = {"Host": "api.test", "Content-Type": "application/json"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.strip("/")},
        "requestContext": {
            "requestId": "0" * 32,
            "stage": "prod",
            "path": f"/prod{path}",
            "identity": {"apiKeyId": OWNER, "sourceIp": "203.0.113.7"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main()
