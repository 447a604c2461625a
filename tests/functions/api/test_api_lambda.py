"""The function as Lambda starts it: a fresh interpreter, an environment, and an event."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

ROOT = Path(__file__).parents[3]
STYLE = "/v1/styles/woodcut"
EVENT = {
    "resource": "/{proxy+}",
    "httpMethod": "GET",
    "headers": None,
    "multiValueHeaders": None,
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "body": None,
    "isBase64Encoded": False,
}
NAMES = {
    "STYLIZER_TABLE": "table",
    "STYLIZER_UPLOADS_BUCKET": "uploads",
    "STYLIZER_RESULTS_BUCKET": "results",
    "STYLIZER_QUEUE_URL": "http://127.0.0.1:9/1/paint",
    "STYLIZER_WEBHOOK_QUEUE_URL": "http://127.0.0.1:9/1/webhooks",
    "STYLIZER_STYLES_DIR": str(ROOT / "core" / "stylizer" / "styles"),
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
}
CODE = """
import json, logging, sys, types
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))  # as Lambda does before it loads a function
from stylizer_api.lambda_handler import handler
context = types.SimpleNamespace(aws_request_id="invocation", get_remaining_time_in_millis=lambda: 25_000)
answer = handler(json.loads(sys.argv[1]), context)
logging.getLogger("botocore").warning("of a library")
print(json.dumps({"answer": answer, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def start(path: str, **environment: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Answer one event; gives the answer with the modules that were loaded, and the lines of log."""
    context = {"requestId": "id-of-request", "path": f"/prod{path}", "identity": {"apiKeyId": "ann"}}
    event = EVENT | {"path": path, "pathParameters": {"proxy": path.strip("/")}, "requestContext": context}
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(event)],
        cwd=ROOT,
        env={**os.environ, **NAMES, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *log, told = [json.loads(line) for line in done.stdout.splitlines()]
    return told, log


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """Listens where X-Ray's daemon would."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(30)
        yield listener


def test_it_answers_without_what_only_painters_and_servers_need() -> None:
    told, _ = start(STYLE)

    assert told["answer"]["statusCode"] == 200
    assert json.loads(told["answer"]["body"])["links"]["self"] == "/prod/v1/styles/woodcut"
    assert not {"torch", "numpy", "uvicorn", "aws_xray_sdk"} & set(told["modules"])


def test_local_server_imports_no_aws_packages() -> None:
    code = "import stylizer_server.server, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)

    assert "uvicorn" in loaded.stdout.split()
    assert not {"boto3", "mangum", "aws_lambda_powertools", "aws_xray_sdk"} & set(loaded.stdout.split())


def test_page_may_connect_to_the_buckets_only() -> None:
    told, _ = start("/page/index.html")

    policy = told["answer"]["headers"]["content-security-policy"].split("; ")
    buckets = [f"https://{name}.s3.eu-central-1.amazonaws.com" for name in ("results", "uploads")]
    assert " ".join(["connect-src 'self'", *buckets]) in policy
    assert "script-src 'self'" in policy


def test_lambda_logs_are_json_and_traces_hold_no_response(
    daemon: socket.socket,
) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    host, port = daemon.getsockname()
    _, log = start(
        STYLE,
        LAMBDA_TASK_ROOT=str(ROOT),
        AWS_XRAY_DAEMON_ADDRESS=f"{host}:{port}",
        _X_AMZN_TRACE_ID=trace,
    )

    library = next(line for line in log if line.get("message") == "of a library")
    assert (library["request_id"], library["owner"]) == ("id-of-request", "ann")
    sent = daemon.recv(65_536).decode()
    assert "## handler" in sent
    assert "Woodcut" not in sent
