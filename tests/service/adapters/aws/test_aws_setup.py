"""What the functions on AWS are told, and what it costs them to begin."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from pydantic import ValidationError

from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import ApiSettings, AwsSettings, PainterSettings, ReconcilerSettings

GIVEN = {
    "STYLIZER_TABLE": "jobs",
    "STYLIZER_RESULTS_BUCKET": "results",
    "STYLIZER_QUEUE_URL": "https://sqs.test/1/paint",
    "STYLIZER_WEBHOOK_QUEUE_URL": "https://sqs.test/1/webhooks",
    "STYLIZER_UPLOADS_BUCKET": "uploads",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


def test_api_keeps_within_gateway_and_lambda_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ApiSettings()

    assert settings.max_wait == 20
    assert settings.form_bytes * 4 / 3 < 6_000_000
    for name, value in (("MAX_WAIT", "29"), ("FORM_BYTES", "5000000"), ("URL_TTL", "P8D")):
        with monkeypatch.context() as patch:
            patch.setenv(f"STYLIZER_{name}", value)
            with pytest.raises(ValidationError, match=name):
                ApiSettings()


@pytest.mark.parametrize("kind", [ApiSettings, PainterSettings, ReconcilerSettings])
def test_function_without_required_settings_does_not_start(
    kind: type[AwsSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in GIVEN:
        with monkeypatch.context() as patch:
            patch.delenv(missing)
            if missing.removeprefix("STYLIZER_").lower() not in kind.model_fields:
                assert kind().table == "jobs"
                continue
            with pytest.raises(ValidationError, match=missing):
                kind()


def test_a_stage_with_a_gpu_names_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_GPU", "true")
    with pytest.raises(ValidationError, match="endpoint_name is not given"):
        ApiSettings()

    monkeypatch.setenv("STYLIZER_ENDPOINT_NAME", "stylizer-gpu")
    assert ApiSettings().gpu


def test_lost_response_leaves_time_for_a_retry(clients: Clients) -> None:
    for client in (clients.dynamodb, clients.sqs, clients.sagemaker, clients.secrets, clients.s3):
        config: Any = client.meta.config
        assert config.retries["mode"] == "standard"  # a process that was refused once is not slow ever after
        assert config.retries["total_max_attempts"] == 4
        assert config.connect_timeout == 2
        assert 2 * (config.connect_timeout + config.read_timeout) < 29


def test_unsendable_request_is_not_a_transient_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)

    with pytest.raises(NoCredentialsError):
        Clients().dynamodb.describe_table(TableName="jobs")


def test_start_loads_no_torch_or_server_and_makes_no_calls() -> None:
    code = """
import socket, sys
def refuse(*_):
    raise AssertionError("a request at the start")
socket.socket.connect = refuse
from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.settings import ApiSettings
open_aws(ApiSettings())
found = {"torch", "fastapi", "uvicorn", "numpy", "PIL"} & set(sys.modules)
assert not found, found
"""
    environment = {**GIVEN, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
