"""The fixture `service` keeps everything on this machine; with `adapters.on_both` on AWS as well."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from clocks import SteppedClock
from cloud.moto_server import serving_moto
from pictures import slope, write_style
from uploads import store_upload

from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.schema import table_schema
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.adapters.local import Local, open_local
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem, ProblemError
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Order = Callable[..., StylizationRequest]

REGION: Literal["eu-central-1"] = "eu-central-1"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, color in (("ink", "black"), ("oil", "orange")):
        write_style(tmp_path / "styles", name, color)
    return Settings(data_dir=tmp_path / "data", styles_dir=tmp_path / "styles", queue_limit=20)


@pytest.fixture
def local(settings: Settings, clock: SteppedClock) -> Iterator[Local]:
    with closing(open_local(settings, clock)) as local:
        yield local


@pytest.fixture(scope="session")
def aws_environment() -> Iterator[dict[str, str]]:
    """What lets boto3 find a fake AWS, one for each process of the tests, and nothing else."""
    with serving_moto() as address:
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@pytest.fixture(scope="session")
def clients(aws_environment: dict[str, str]) -> Clients:
    """Those that most tests share, because to make one costs as much as a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment.items():
            patch.setenv(name, value)
        clients = Clients()
        for client in (clients.s3, clients.dynamodb, clients.sqs, clients.secrets, clients.sagemaker):
            assert client.meta.endpoint_url == aws_environment["AWS_ENDPOINT_URL"]
    return clients


@pytest.fixture
def aws_settings(clients: Clients, settings: Settings) -> ApiSettings:
    """A table, buckets, queues and a secret of the test's own."""
    name = f"test-{secrets.token_hex(8)}"
    clients.dynamodb.create_table(**table_schema(name))
    for bucket in (f"{name}-uploads", f"{name}-results"):
        clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    queues = [clients.sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in ("paint", "webhook")]
    clients.secrets.create_secret(Name=name, SecretBinary=secrets.token_bytes(32))
    return ApiSettings(
        styles_dir=settings.styles_dir,
        queue_limit=settings.queue_limit,
        table=name,
        results_bucket=f"{name}-results",
        uploads_bucket=f"{name}-uploads",
        queue_url=queues[0],
        webhook_queue_url=queues[1],
        webhook_secret_id=name,
    )


@pytest.fixture
def aws(aws_settings: ApiSettings, clock: SteppedClock, clients: Clients) -> Service:
    return open_aws(aws_settings, clock, clients)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    adapters: Local | Service = request.getfixturevalue(getattr(request, "param", "local"))
    return adapters if isinstance(adapters, Service) else adapters.service


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Encode some picture: picture(width, height, format, **Pillow's settings)."""
    return slope


@pytest.fixture
def order(service: Service, picture: Picture) -> Order:
    """Make a request for a fresh photo of the owner "ann": order(**other fields)."""

    def made(**fields: object) -> StylizationRequest:
        photo = store_upload(service, picture())
        return StylizationRequest.model_validate({"content": photo, "style": "ink"} | fields)

    return made


@pytest.fixture
def photo_of(service: Service, picture: Picture) -> Callable[[str], str]:
    """Store a photo of an owner; gives its id."""
    return lambda owner: store_upload(service, picture(), owner)


@pytest.fixture(scope="session")
def refusal() -> Callable[..., Problem]:
    """Call something that must be refused; gives the problem."""

    def refused(call: Callable[..., object], *arguments: object, **named: object) -> Problem:
        with pytest.raises(ProblemError) as caught:
            call(*arguments, **named)
        return caught.value.problem

    return refused


@pytest.fixture
def finish(service: Service) -> Callable[[str], None]:
    """Paint a job to its end."""

    def finished(job_id: str) -> None:
        lease = claim(service.ports, service.settings, job_id)
        assert lease is not None
        lease.succeed(b"painting", preview=b"small", width=64, height=43)

    return finished
