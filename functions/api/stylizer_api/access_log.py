"""Access log: one log line per request, and metrics in CloudWatch's embedded metric format.

Query strings, which hold signatures, are never logged, nor are headers or bodies. A failure here never affects the
response.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylizer_service.adapters.aws.metrics import NAMESPACE

SERVICE = "api"

log = Logger(service=SERVICE)


def log_as_json(handlers: Iterable[logging.Handler]) -> None:
    """Format the service's and its libraries' log records as JSON lines that carry the request they belong to."""
    for handler in handlers:
        handler.setFormatter(log.registered_formatter)


class AccessLogMiddleware:
    """ASGI middleware that logs each request and emits its metrics.

    The app passes what only it knows in the scope's state: `problem`, the problem code of the response; `accepted`, the
    method of a new job, and `job_id`; `waited`, the seconds spent waiting at the caller's request.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = time.monotonic()
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def send_and_see(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with _harmless():
            _begin(scope)
        try:
            await self._app(scope, receive, send_and_see)
        finally:
            with _harmless():
                _end(scope, status, time.monotonic() - started)


@contextmanager
def _harmless() -> Iterator[None]:
    """Suppress all exceptions: a request that cannot be logged must still be answered."""
    try:
        yield
    except Exception:
        logging.getLogger(__name__).warning("a request could not be logged", exc_info=True)


def _begin(scope: Scope) -> None:
    log.append_keys(
        request_id=scope["state"]["request_id"],
        owner=scope["state"]["owner"],
        function_request_id=scope["aws.context"].aws_request_id,
    )


def _end(scope: Scope, status: int, seconds: float) -> None:
    state = scope["state"]
    route = getattr(scope.get("route"), "path", None)
    problem: str | None = state.get("problem")
    log.info(
        "answered",
        extra={
            "method": scope["method"],
            "route": route,
            "path_parameters": scope.get("path_params", {}),
            "status": status,
            "seconds": round(seconds, 3),
            "problem": problem,
            "job_id": state.get("job_id"),
        },
    )
    # Exclude the wait the caller asked for, which would make the service look slow.
    own_seconds = seconds - state.get("waited", 0.0)
    _emit(
        {
            "Requests": (MetricUnit.Count, 1),
            "Latency": (MetricUnit.Milliseconds, 1000 * own_seconds),
            "ClientErrors": (MetricUnit.Count, int(400 <= status < 500)),
            "ServerErrors": (MetricUnit.Count, int(status >= 500)),
        }
    )
    if "accepted" in state:
        _emit({"StylizationsAccepted": (MetricUnit.Count, 1)}, method=state["accepted"])
    if problem is not None:
        _emit({"Problems": (MetricUnit.Count, 1)}, problem=problem)


def _emit(values: Mapping[str, tuple[MetricUnit, float]], **dimensions: str) -> None:
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for name, (unit, number) in values.items():
        metrics.add_metric(name, unit, number)
    metrics.flush_metrics()
