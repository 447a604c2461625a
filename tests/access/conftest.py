"""The fixture `deployment` has two parameters: `stylizer-server` with keys, and AWS."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from access.deployments import ANN, BEN, REMOVED, Answer, Deployment, HeaderList, over_http, walk
from cloud.moto_server import serving_moto
from cloud.stage import Stage, build

from stylizer_api.access_log import log, log_as_json
from stylizer_api.app import create_app
from stylizer_api.gateway import make_handler
from stylizer_server.app_factory import create_local_app
from stylizer_service.adapters.aws import open_aws
from stylizer_service.adapters.aws.clients import Clients
from stylizer_service.adapters.aws.settings import ApiSettings
from stylizer_service.adapters.local import open_local
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.usecases import Service
from tools.load.processes import painter_held, serving

GATEWAY_KEYS = {"key-of-ann-0123456789": ANN, "key-of-ben-0123456789": BEN}
FORM_BYTES = 4_400_000


@pytest.fixture(scope="session")
def local_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The real server with keys, whose painter waits: nothing ends but what a test ends."""
    data = tmp_path_factory.mktemp("local") / "data"
    data.mkdir()
    settings = LocalSettings(data_dir=data)
    with closing(open_local(settings)) as local, painter_held(data):
        keys = {name: local.keys.add(name) for name in (ANN, BEN, REMOVED)}
        with serving(data, "--require-keys", rate_limit="0", wrong_keys="1000000") as server:
            local.keys.remove(REMOVED)
            yield Deployment(
                name="local",
                prefix="",
                keys=keys,
                service=local.service,
                send=over_http(server.address),
                log=server.log.read_text,
                routes=set(walk(create_local_app(local, key_settings=settings).routes)),
            )


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with serving_moto() as address:
        yield build(address)


@pytest.fixture(scope="session")
def aws_service(stage: Stage) -> Service:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stage.environment.items():
            patch.setenv(name, value)
        clients = Clients()
        for client in (clients.s3, clients.dynamodb, clients.sqs, clients.secrets):  # now, with this environment
            assert client.meta.endpoint_url == stage.environment["AWS_ENDPOINT_URL"]
        return open_aws(ApiSettings(), clients=clients)


@pytest.fixture
def aws_deployment(
    aws_service: Service,
    behind_gateway: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Deployment:
    """The function behind a gateway, with stores in moto."""
    out = io.StringIO()
    monkeypatch.setattr(log.registered_handler, "stream", out)
    others = logging.StreamHandler(out)
    log_as_json([others])
    monkeypatch.setattr(logging.getLogger(), "handlers", [others])
    client = behind_gateway(make_handler(aws_service, form_bytes=FORM_BYTES), keys=GATEWAY_KEYS)
    gateway = client._transport  # type: ignore[attr-defined]

    def send(method: str, target: str, headers: HeaderList, body: bytes) -> Answer:
        return Answer(*gateway.call(method, target, headers, body))

    def read() -> str:
        out.write(capsys.readouterr().out)
        return out.getvalue()

    return Deployment(
        name="aws",
        prefix="/prod",
        keys={owner: key for key, owner in GATEWAY_KEYS.items()} | {REMOVED: "key-of-a-removed-owner"},
        service=aws_service,
        send=send,
        log=read,
        routes=set(walk(create_app(aws_service, identify=lambda _: "").routes)),
    )


@pytest.fixture(params=["local", "aws"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    found: Deployment = request.getfixturevalue(f"{request.param}_deployment")
    return found


@pytest.fixture(scope="session")
def contract() -> dict[str, dict[str, object]]:
    """The calls of `docs/openapi.json`, by path and method."""
    text = (Path(__file__).parents[2] / "docs/openapi.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["paths"])
