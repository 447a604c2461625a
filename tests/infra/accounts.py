"""Fake AWS account for deploys: moto, and Service Quotas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.request import Request as RequestTo
from urllib.request import urlopen

import pytest
from cloud.moto_server import serving_moto
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.existing_stack import Environment

ACCOUNT = "123456789012"
REGION = "eu-central-1"
GENEROUS: Mapping[str, float] = {"L-B99A9384": 1000}

Quotas = Mapping[str, float]


def _quota(code: str, value: float) -> dict[str, Any]:
    """Return a quota named by its code."""
    return {"QuotaCode": code, "QuotaName": code, "Value": value}


@contextmanager
def serving_quotas(applied: Quotas, defaults: Quotas) -> Iterator[str]:
    """Serve Service Quotas and yield the address; without quotas, deny access."""

    @Request.application
    def app(request: Request) -> Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        if not applied:
            return Response(json.dumps({"__type": "AccessDeniedException", "message": "not allowed"}), status=400)
        match operation:
            case "GetServiceQuota":
                code = request.get_json(force=True)["QuotaCode"]
                return Response(json.dumps({"Quota": _quota(code, applied[code])}))
            case "ListServiceQuotas":
                return Response(json.dumps({"Quotas": [_quota(*each) for each in applied.items()]}))
            case "ListAWSDefaultServiceQuotas":
                return Response(json.dumps({"Quotas": [_quota(*each) for each in defaults.items()]}))
        return Response(status=404)

    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def an_account(
    monkeypatch: pytest.MonkeyPatch, quotas: Quotas = GENEROUS, defaults: Quotas | None = None
) -> Iterator[Environment]:
    """Yield an empty account with credentials in the environment."""
    with serving_moto() as moto, serving_quotas(quotas, defaults or {}) as service_quotas:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL": moto,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": service_quotas,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        urlopen(RequestTo(f"{moto}/moto-api/reset", method="POST")).close()  # noqa: S310 - on loopback
        yield Environment(account=ACCOUNT, region=REGION)
