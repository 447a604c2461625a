"""Jobs through a SageMaker endpoint with a GPU, which takes them one after the other in its own time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylizer_service.adapters.aws.queue import SqsDispatcher, message_of
from stylizer_service.ports import Blobs, Trace
from stylizer_service.records import Job

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

_LONGEST_PAINTING = 3600  # the most SageMaker allows, seconds
_LONGEST_WAIT = 6 * 3600  # the same


class Endpoint:
    """Sends jobs to one endpoint. What comes of them it tells over SNS; nobody waits for it here.

    Args:
        client: SageMaker's runtime.
        name: Of the endpoint.
        blobs: Where the input of an invocation is put; that of `bucket`.
        bucket: The bucket that keys under jobs/ are in.
    """

    def __init__(self, client: SageMakerRuntimeClient, name: str, blobs: Blobs, bucket: str):
        self._client = client
        self._name = name
        self._blobs = blobs
        self._bucket = bucket

    def send(self, job: Job) -> None:
        """Invoke the endpoint for a job."""
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
        """Whether a job was sent to this endpoint, and not only to one of another name that it replaced."""
        return self._blobs.size(self._input_key(job)) is not None

    def _input_key(self, job: Job) -> str:
        return f"{job.folder}request-{self._name}.json"


class DispatcherByWay:
    """Port `Dispatcher`: each job goes the way it says.

    Args:
        queue: For the way "queue".
        endpoint: For the way "gpu"; None where there is none.
    """

    def __init__(self, queue: SqsDispatcher, endpoint: Endpoint | None):
        self._queue = queue
        self._endpoint = endpoint

    def send(self, job: Job) -> None:
        """Have the job painted the way it says."""
        if job.way == "queue":
            self._queue.send(job)
        elif self._endpoint is not None:
            self._endpoint.send(job)
        else:
            raise LookupError(f"job {job.id} is to go to a GPU, and there is none: endpoint_name is not set")

    def depth(self) -> int:
        """About how many jobs wait in the queue. The endpoint does not tell how many wait for it."""
        return self._queue.depth()

    def trace(self, job: Job) -> Trace:
        """SQS does not say what is in a queue; what was sent to the endpoint has left its input behind."""
        if job.way == "queue":
            return "sent"
        if self._endpoint is None:
            return "no-way"
        return "sent" if self._endpoint.was_sent(job) else "unsent"
