"""Fake of SageMaker asynchronous inference: forwards invocations to the container, stores results and notifies.

As in the service, the caller gets its response before the container gets the request; the result goes to S3, and a
notification to a topic, which invokes the reconciler here.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from waiting import PATIENCE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ControlPlane:
    """The endpoint as callers see it, and what stands behind it.

    Attributes:
        url: Where `invoke_endpoint_async` has to go.
        container: The address of the container; None while the endpoint has no instance, and invocations wait.
        invocations: What the callers asked for: the headers of each call.
    """

    def __init__(self, s3: S3Client, bucket: str, tell: Callable[[str], object]):
        self.container: str | None = None
        self.invocations: list[dict[str, str]] = []
        self._s3 = s3
        self._bucket = bucket
        self._deliver_webhook = tell
        self._expired = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._calls: list[Future[str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[ControlPlane]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
            self.expire()
            self._pool.shutdown(wait=True)

    def expire(self) -> None:
        """End the time that invocations may wait for an instance."""
        self._expired.set()

    def finish(self) -> list[str]:
        """Wait until every invocation so far has been told of; gives what the container answered to each."""
        return [call.result(PATIENCE) for call in self._calls]

    def _accept(self, headers: dict[str, str]) -> dict[str, str]:
        self.invocations.append(headers)
        identity = headers.get("x-amzn-sagemaker-inference-id") or str(uuid.uuid4())
        output = f"s3://{self._bucket}/sagemaker/{uuid.uuid4()}.out"
        location = headers["x-amzn-sagemaker-inputlocation"]
        self._calls.append(self._pool.submit(self._invoke, identity, location, output))
        return {"InferenceId": identity, "OutputLocation": output}

    def _invoke(self, identity: str, location: str, output: str) -> str:
        place = urlsplit(location)
        body = self._s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        notice: dict[str, Any] = {"inferenceId": identity, "requestParameters": {"inputLocation": location}}
        try:
            answer = httpx.post(f"{self._instance()}/invocations", content=body, timeout=PATIENCE)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            said = str(error)
            notice |= {"invocationStatus": "Failed", "failureReason": said}
        else:
            said = answer.text
            self._s3.put_object(Bucket=self._bucket, Key=urlsplit(output).path.lstrip("/"), Body=answer.content)
            notice |= {"invocationStatus": "Completed", "responseParameters": {"outputLocation": output}}
        self._deliver_webhook(json.dumps(notice))
        return said

    def _instance(self) -> str:
        while self.container is None:
            if self._expired.wait(0.05):
                raise httpx.ConnectTimeout("no instance came in the time that the request had")
        return self.container

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        plane = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = plane._accept({name.lower(): value for name, value in self.headers.items()})
                body = json.dumps({"InferenceId": answer["InferenceId"]}).encode()
                self.send_response(HTTPStatus.ACCEPTED)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Amzn-SageMaker-OutputLocation", answer["OutputLocation"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
