"""Settings of the AWS functions; each function gets only those it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from stylizer.clips.segments import SEGMENT_FRAMES
from stylizer_service.settings import Lifetime, Settings


class AwsSettings(Settings):
    """Settings common to all functions. Each can be set as STYLIZER_<NAME>.

    Attributes:
        table: Name of the DynamoDB table.
        results_bucket: Bucket for the files of jobs and styles.
        queue_url: URL of the painters' queue.
        webhook_queue_url: URL of the webhook queue.
        endpoint_name: SageMaker endpoint with a GPU, if the stage has one.
        clip_chunk_frames: As in `Settings`. A Lambda paints that many frames of 1,080 pixels by `neighbor` in its time.
        url_ttl: Validity of signed links and upload forms; at most seven days, S3's maximum.
    """

    table: str = Field(min_length=3)
    results_bucket: str = Field(min_length=3)
    queue_url: str = Field(min_length=1)
    webhook_queue_url: str = Field(min_length=1)
    endpoint_name: str | None = None
    clip_chunk_frames: int | None = Field(default=48, ge=SEGMENT_FRAMES)
    url_ttl: Lifetime = Field(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(days=7))

    @model_validator(mode="after")
    def _gpu_has_an_endpoint(self) -> Self:
        if self.gpu and self.endpoint_name is None:
            raise ValueError("gpu is on, but endpoint_name is not given; allowed is the name of a SageMaker endpoint")
        return self


class PainterSettings(AwsSettings):
    """Settings of the painters, which have no access to uploads.

    Attributes:
        painter_margin: Seconds before the Lambda timeout at which an unfinished job is released: enough for one step of
            the slowest method plus the final writes.
    """

    painter_margin: PositiveFloat = 30.0


class WithUploads(AwsSettings):
    """Settings of functions with access to uploads and to the webhook signing secret.

    Attributes:
        uploads_bucket: Bucket that callers upload to.
        webhook_secret_id: Name of the webhook signing secret; None disables webhooks.
    """

    uploads_bucket: str = Field(min_length=3)
    webhook_secret_id: str | None = None


class ApiSettings(WithUploads):
    """Settings of the API.

    Attributes:
        allowed_origins: Origins allowed by CORS, as a JSON list; "*" allows any.
        max_wait: Maximum `Prefer: wait`, seconds; API Gateway times out after 29.
        form_bytes: Maximum size of a multipart request, bytes, all files together; its base64 encoding must fit into
            Lambda's 6 MB payload limit.
        url_inputs: Whether pictures may be given by URL; every caller has a key here.
    """

    allowed_origins: tuple[str, ...] = ()
    max_wait: float = Field(default=20.0, ge=0, le=25)
    form_bytes: PositiveInt = Field(default=4_400_000, le=4_500_000)
    url_inputs: bool | None = True


class ReconcilerSettings(WithUploads):
    """Settings of the reconciler, which deletes expired uploads and delivers webhooks."""
