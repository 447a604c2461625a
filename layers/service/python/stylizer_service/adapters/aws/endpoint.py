"""Dispatching jobs to an asynchronous SageMaker endpoint with a GPU, which processes them one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylizer_service.adapters.aws.queue import SqsDispatcher, message_of
from stylizer_service.ports import Blobs, Trace
from stylizer_service.records import Job

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

_LONGEST_PAINTING = 3600  # seconds; SageMaker's maximum
_LONGEST_WAIT = 6 * 3600  # seconds; SageMaker's maximum


class Endpoint:
    """Sends jobs to one endpoint. Outcomes are published to SNS; nothing here waits for them.

    Args:
        client: SageMaker runtime client.
        name: Endpoint name.
        blobs: Store for invocation inputs; must write to `bucket`.
        bucket: Bucket that holds the keys under jobs/.
    """

    def __init__(self, client: SageMakerRuntimeClient, name: str, blobs: Blobs, bucket: str):
        self._client = client
        self._name = name
        self._blobs = blobs
        self._bucket = bucket

    def send(self, job: Job) -> None:
        """Invoke the endpoint asynchronously for a job."""
        key = self._input_key(job)
        self._blobs.put(key, message_of(job.id).encode(), "application/json")
        self._client.invoke_endpoint_async(
            EndpointName=self._name,
            InputLocation=f"s3://{self._bucket}/{key}",
            ContentType="application/json",
            InferenceId=job.id,
            InvocationTimeoutSeconds=_LONGEST_PAINTING,
            RequestTTLSeconds=_LONGEST_WAIT,
        )

    def was_sent(self, job: Job) -> bool:
        """Return whether a job was sent to this endpoint, rather than to a replaced one with a different name."""
        return self._blobs.size(self._input_key(job)) is not None

    def _input_key(self, job: Job) -> str:
        return f"{job.folder}request-{self._name}.json"


class BackendDispatcher:
    """Port `Dispatcher`: routes each job to its backend.

    Args:
        queue: Dispatcher for the backend "queue".
        endpoint: Dispatcher for the backend "gpu"; None if the stage has no endpoint.
    """

    def __init__(self, queue: SqsDispatcher, endpoint: Endpoint | None):
        self._queue = queue
        self._endpoint = endpoint

    def send(self, job: Job) -> None:
        """Send the job to its backend. Raises LookupError if that is "gpu" and there is no endpoint."""
        if job.backend == "queue":
            self._queue.send(job)
        elif self._endpoint is not None:
            self._endpoint.send(job)
        else:
            raise LookupError(f"job {job.id} is to go to a GPU, and there is none: endpoint_name is not set")

    def depth(self) -> int:
        """Return the approximate number of jobs in the queue. The endpoint does not report its backlog."""
        return self._queue.depth()

    def trace(self, job: Job) -> Trace:
        """Return whether a queued job was sent: assumed for SQS, which cannot be queried; by input file for the GPU."""
        if job.backend == "queue":
            return "sent"
        if self._endpoint is None:
            return "no-backend"
        return "sent" if self._endpoint.was_sent(job) else "unsent"
