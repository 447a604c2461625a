"""Where jobs, wake-up calls and the secret go and come from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloud.fault_proxy import Line, break_off, refuse
from job_records import make_job

from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.secrets import WebhookKey
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.models import Backend
from stylizer_service.records import Job
from stylizer_service.usecases import Service


def job(backend: Backend) -> Job:
    return make_job(datetime.now(UTC), method="optimization", backend=backend)


def with_gpu(settings: ApiSettings, endpoint: str) -> ApiSettings:
    return settings.model_copy(update={"endpoint_name": endpoint, "gpu": True})


def bodies(clients: Clients, url: str) -> list[Any]:
    answer = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_a_job_for_the_queue_is_a_message_that_names_it(
    service: Service, clients: Clients, aws_settings: ApiSettings
) -> None:
    waiting = job("queue")
    service.ports.dispatcher.send(waiting)

    assert service.ports.dispatcher.depth() == 1
    assert bodies(clients, aws_settings.queue_url) == [{"job_id": waiting.id}]
    assert service.ports.dispatcher.depth() == 0


def test_truncated_queue_response_is_retried(line: Line, line_clients: Clients, aws_settings: ApiSettings) -> None:
    ports = open_ports(aws_settings, clients=line_clients)
    ports.dispatcher.send(job("queue"))
    line.go_wrong("GetQueueAttributes", break_off)

    assert ports.dispatcher.depth() == 1
    assert line.count("GetQueueAttributes") == 2


def test_a_message_that_has_to_wait_counts_as_waiting(
    service: Service, clients: Clients, aws_settings: ApiSettings
) -> None:
    clients.sqs.send_message(QueueUrl=aws_settings.queue_url, MessageBody="{}", DelaySeconds=900)

    assert service.ports.dispatcher.depth() == 1


def test_a_job_for_the_gpu_is_an_invocation_whose_input_names_it(
    line: Line, line_clients: Clients, aws_settings: ApiSettings
) -> None:
    ports = open_ports(with_gpu(aws_settings, "stylizer-gpu"), clients=line_clients)
    waiting = job("gpu")
    # Moto takes invocations of endpoints that it knows, and does nothing with them.
    line.go_wrong("POST /endpoints/", refuse(202, b'{"InferenceId": "x"}'))
    ports.dispatcher.send(waiting)

    key = f"jobs/{waiting.id}/request-stylizer-gpu.json"
    assert line.seen[-1].name == "POST /endpoints/stylizer-gpu/async-invocations"
    said = line.seen[-1].headers
    assert said["x-amzn-sagemaker-inputlocation"] == f"s3://{aws_settings.results_bucket}/{key}"
    assert said["x-amzn-sagemaker-inference-id"] == waiting.id
    assert said["x-amzn-sagemaker-content-type"] == "application/json"
    assert said["x-amzn-sagemaker-invocationtimeoutseconds"] == "3600"
    assert said["x-amzn-sagemaker-requestttlseconds"] == "21600"
    with ports.blobs.open(key) as file:
        assert json.load(file) == {"job_id": waiting.id}


def test_job_sent_to_a_replaced_endpoint_counts_as_unsent(
    line: Line, line_clients: Clients, aws_settings: ApiSettings
) -> None:
    old, new = (
        open_ports(with_gpu(aws_settings, name), clients=line_clients).dispatcher
        for name in ("painter-g5-xlarge", "painter-g6-xlarge")
    )
    waiting = job("gpu")
    assert old.trace(waiting) == "unsent"
    line.go_wrong("POST /endpoints/", refuse(202, b'{"InferenceId": "x"}'))
    old.send(waiting)
    assert (old.trace(waiting), new.trace(waiting)) == ("sent", "unsent")
    without = open_ports(aws_settings, clients=line_clients).dispatcher
    assert (without.trace(waiting), without.trace(job("queue"))) == ("no-backend", "sent")


def test_gpu_job_without_a_gpu_is_an_explicit_error(service: Service) -> None:
    with pytest.raises(LookupError, match="is to go to a GPU, and there is none: endpoint_name is not set"):
        service.ports.dispatcher.send(job("gpu"))


def test_wake_up_is_delayed_up_to_the_maximum(service: Service, line: Line) -> None:
    for delay, seconds in ((0.0, 0), (-5.0, 0), (0.2, 1), (899.5, 900), (3600.0, 900)):
        service.ports.notifier.send("stz_x", delay=delay)
        sent = json.loads(line.seen[-1].body)
        assert (json.loads(sent["MessageBody"]), sent["DelaySeconds"]) == ({"job_id": "stz_x"}, seconds)


def test_the_secret_is_fetched_once(service: Service, line: Line, clients: Clients, aws_settings: ApiSettings) -> None:
    key = service.ports.webhook_key
    assert key is not None
    assert line.count("GetSecretValue") == 0
    assert aws_settings.webhook_secret_id is not None
    stored = clients.secrets.get_secret_value(SecretId=aws_settings.webhook_secret_id)["SecretBinary"]

    assert key() == key() == stored
    assert line.count("GetSecretValue") == 1


def test_a_secret_may_be_text_and_must_be_long(clients: Clients, aws_settings: ApiSettings) -> None:
    name = f"{aws_settings.table}-text"
    clients.secrets.create_secret(Name=name, SecretString="s" * 32)
    assert WebhookKey(clients, name)() == b"s" * 32

    clients.secrets.put_secret_value(SecretId=name, SecretString="s" * 31)
    with pytest.raises(ValueError, match=f"{name} has 31 bytes; at least 32 are needed"):
        WebhookKey(clients, name)()


def test_without_a_secret_there_are_no_webhooks(aws_settings: ApiSettings, clients: Clients) -> None:
    settings = aws_settings.model_copy(update={"webhook_secret_id": None})

    assert open_ports(settings, clients=clients).webhook_key is None
