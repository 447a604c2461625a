"""What each function on AWS is told from outside, and no function more than it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from stylizer_service.settings import Lifetime, Settings


class AwsSettings(Settings):
    """What every function needs. Each can be set as STYLIZER_<NAME>.

    Attributes:
        table: Name of the DynamoDB table.
        results_bucket: Holds what belongs to jobs and styles.
        queue_url: Of the queue that painters take jobs from.
        webhook_queue_url: Of the queue that asks for webhooks to be sent.
        endpoint_name: The SageMaker endpoint with a GPU, if the stage has one.
        url_ttl: How long a signed link or upload form is valid; S3 signs for seven days at most.
    """

    table: str = Field(min_length=3)
    results_bucket: str = Field(min_length=3)
    queue_url: str = Field(min_length=1)
    webhook_queue_url: str = Field(min_length=1)
    endpoint_name: str | None = None
    url_ttl: Lifetime = Field(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(days=7))

    @model_validator(mode="after")
    def _gpu_has_an_endpoint(self) -> Self:
        if self.gpu and self.endpoint_name is None:
            raise ValueError("gpu is on, but endpoint_name is not given; allowed is the name of a SageMaker endpoint")
        return self


class PainterSettings(AwsSettings):
    """Those of the painters: they never touch an upload.

    Attributes:
        painter_margin: How long before the end of a Lambda's time a painting is handed back, seconds: long enough for
            one step of the slowest method, and for the writes.
    """

    painter_margin: PositiveFloat = 30.0


class WithUploads(AwsSettings):
    """Those of functions that deal with callers: they know the uploads, and the secret of the webhooks.

    Attributes:
        uploads_bucket: Where callers send files.
        webhook_secret_id: Name of the secret that webhooks are signed with; None: no webhooks.
    """

    uploads_bucket: str = Field(min_length=3)
    webhook_secret_id: str | None = None


class ApiSettings(WithUploads):
    """Those of the API.

    Attributes:
        allowed_origins: Pages of these origins may call the API from a browser, as a JSON list; "*" is any.
        max_wait: Longest `Prefer: wait`, seconds; the gateway hangs up after 29.
        form_bytes: Most bytes of a multipart request, all files together; in base64 they must fit into the 6 MB that
            a Lambda takes.
    """

    allowed_origins: tuple[str, ...] = ()
    max_wait: float = Field(default=20.0, ge=0, le=25)
    form_bytes: PositiveInt = Field(default=4_400_000, le=4_500_000)


class SettleSettings(WithUploads):
    """Those of what settles jobs: it lets go of uploads whose time is over, and tells callers."""
