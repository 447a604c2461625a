"""Plays Lambda's side of a function: the Runtime API on loopback, and the process whose client asks it for events."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, NamedTuple

from waiting import PATIENCE, wait_for

ROOT = "/2018-06-01/runtime"
SET_BY_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/function",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
    "LANG": "en_US.UTF-8",
    "PATH": os.defpath,
    "TZ": ":UTC",
}


class Report(NamedTuple):
    """What the runtime client has posted: an answer, an error, or that the function could not even be started."""

    kind: Literal["response", "error", "init"]
    body: Any


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # which is what a function that was killed leaves behind
            super().handle_error(request, client_address)


class RuntimeApi:
    """The Runtime API for one process."""

    def __init__(self) -> None:
        self.is_ready = threading.Event()
        self.reports: queue.Queue[Report] = queue.Queue()
        self._invocations: queue.Queue[tuple[bytes, int] | None] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[RuntimeApi]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._invocations.put(None)  # lets go of a client that waits
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def put(self, event: object, *, seconds: float) -> None:
        """Have the function invoked, with so much time."""
        self._invocations.put((json.dumps(event).encode(), int((time.time() + seconds) * 1000)))

    def _next(self) -> tuple[bytes, dict[str, str]] | None:
        self.is_ready.set()
        invocation = self._invocations.get()
        if invocation is None:
            return None
        event, deadline = invocation
        return event, {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:function",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            "Content-Type": "application/json",
        }

    def _take(self, path: str, body: bytes) -> bool:
        kinds: dict[str, Literal["response", "error", "init"]] = {"response": "response", "error": "error"}
        kind = "init" if path == f"{ROOT}/init/error" else kinds.get(path.rpartition("/")[2])
        if kind is None:
            return False
        self.reports.put(Report(kind, json.loads(body)))
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != f"{ROOT}/invocation/next":
                    self._answer(HTTPStatus.NOT_FOUND, b"", {})
                elif (found := api._next()) is not None:
                    self._answer(HTTPStatus.OK, *found)
                else:
                    self.close_connection = True  # the client has disconnected

            def do_POST(self) -> None:
                is_known = api._take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(HTTPStatus.ACCEPTED if is_known else HTTPStatus.NOT_FOUND, b"{}", {})

            def _answer(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


class Function:
    """A function that runs: its process, and the Runtime API between it and its caller.

    Attributes:
        process: The process.
        environment: What it was given, and nothing of the test's own.
        folder: Where it was started.
    """

    def __init__(
        self,
        api: RuntimeApi,
        process: subprocess.Popen[bytes],
        log: Path,
        environment: Mapping[str, str],
        folder: Path,
    ):
        self.process = process
        self.environment = environment
        self.folder = folder
        self._api = api
        self._log = log

    def invoke(self, event: object, *, seconds: float = 900.0) -> Report:
        """Have it deal with an event; gives what it has posted.

        Args:
            event: The event.
            seconds: What it is told that it has for it.
        """
        self._api.put(event, seconds=seconds)
        return self.report()

    def report(self) -> Report:
        """Wait for what it posts next."""
        wait_for(lambda: not self._api.reports.empty(), "its answer", process=self.process, log=self.log)
        return self._api.reports.get()

    def wait_until_ready(self) -> None:
        """Wait until it has asked for its first event."""
        wait_for(self._api.is_ready.is_set, "its first question", process=self.process, log=self.log)

    def log(self) -> str:
        """What it has written to stdout and stderr."""
        return self._log.read_text()


@contextmanager
def start(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Iterator[Function]:
    """Start a function as Lambda does; it is killed when the block ends.

    Args:
        command: What the image or the runtime starts.
        folder: The working directory, where the code is.
        environment: What is set besides what Lambda sets.
        log: The file to write stdout and stderr to.
    """
    with RuntimeApi().running() as api, log.open("wb") as output:
        own = {"AWS_LAMBDA_RUNTIME_API": api.address, "LAMBDA_TASK_ROOT": str(folder)}
        whole = {**SET_BY_LAMBDA, **own, **environment}
        process = subprocess.Popen(
            command, cwd=folder, env=whole, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield Function(api, process, log, whole, folder)
        finally:
            process.kill()
            process.wait(PATIENCE)
