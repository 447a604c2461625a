"""The painter behind a SageMaker endpoint: an HTTP server with `/ping` and `/invocations` on port 8080.

An invocation names a job, `{"job_id": …}`; the result is stored where every painter stores it, and the response only
reports the job's outcome. Jobs are painted one at a time, on the GPU if there is one; others queue.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stylizer_painter.metrics import count
from stylizer_painter.painting import Outcome, paint_job
from stylizer_painter.waiting import wait
from stylizer_painter.warmup import warm_up
from stylizer_service.adapters.aws import open_ports
from stylizer_service.adapters.aws.settings import PainterSettings
from stylizer_service.ports import Ports, Unavailable
from stylizer_service.settings import Settings

PORT = 8080  # the port SageMaker calls
_RETRY_DELAYS = (1.0, 5.0, 15.0, 30.0)
"""Seconds before each retry while a store is unavailable."""
_GRACE_SECONDS = 25  # of the 30 between SageMaker's SIGTERM and SIGKILL

log = logging.getLogger(__name__)


def create_app(ports: Ports, settings: Settings, *, should_stop: Callable[[], bool] = lambda: False) -> Starlette:
    """Create the app.

    Args:
        ports: Stores of jobs and their files.
        settings: Limits and lifetimes.
        should_stop: Whether the process is shutting down; the job in progress is then released.
    """
    one_at_a_time = CapacityLimiter(1)

    async def ping(request: Request) -> Response:  # noqa: ARG001
        return Response()

    async def invoke(request: Request) -> Response:
        try:
            job_id = str(json.loads(await request.body())["job_id"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": 'the body must be {"job_id": "stz_…"}'}, status_code=400)
        paint = partial(paint_with_retries, ports, settings, job_id, should_stop)
        outcome = await to_thread.run_sync(paint, limiter=one_at_a_time)
        log.info("%s: %s", job_id, outcome)
        await to_thread.run_sync(count, ports, job_id, outcome)
        return JSONResponse({"job_id": job_id, "outcome": outcome})

    return Starlette(routes=[Route("/ping", ping), Route("/invocations", invoke, methods=["POST"])])


def paint_with_retries(ports: Ports, settings: Settings, job_id: str, should_stop: Callable[[], bool]) -> Outcome:
    """Paint a job, retrying while a store is unavailable, since only a limited number of invocations may fail."""
    for delay in _RETRY_DELAYS:
        try:
            return paint_job(ports, settings, job_id, should_stop=should_stop)
        except Unavailable as error:
            log.warning("%s: %s; retrying in %g s", job_id, error, delay)
        wait(delay, should_stop)
    return paint_job(ports, settings, job_id, should_stop=should_stop)


def main() -> int:
    """Serve until SIGTERM. SageMaker starts the container with the argument `serve`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s painter: %(message)s", stream=sys.stderr)
    # uvicorn first shuts down gracefully, then raises the signal again for this handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    warm_up()
    settings = PainterSettings()
    app = create_app(open_ports(settings), settings, should_stop=lambda: server.should_exit)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="0.0.0.0",  # noqa: S104 - SageMaker calls from outside the container
            port=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", PORT)),
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
