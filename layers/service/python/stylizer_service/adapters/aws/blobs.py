"""Blob storage in two S3 buckets: one that callers upload to, and one for everything else."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from stylizer_service.adapters.aws.errors import code_of
from stylizer_service.files import media_type_of
from stylizer_service.ports import Clock, Unavailable, UploadForm

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UPLOADS = "uploads/"
_ABSENT = ("NoSuchKey", "404", "NotFound")
_TRIES = 3


class S3Blobs:
    """Port `Blobs`.

    Args:
        client: S3 client.
        results_bucket: Bucket for everything except uploads.
        uploads_bucket: Bucket for keys under uploads/; None for functions without access to uploads.
        clock: Time source for link expiry.
    """

    def __init__(self, client: S3Client, results_bucket: str, uploads_bucket: str | None, clock: Clock):
        self._client = client
        self._results = results_bucket
        self._uploads = uploads_bucket
        self._clock = clock

    def put(self, key: str, source: BinaryIO | bytes, media_type: str) -> int:
        """Store a file. Reads it into memory first, because a retry has to send the body again."""
        data = source if isinstance(source, bytes) else source.read()
        self._client.put_object(Bucket=self._bucket(key), Key=key, Body=data, ContentType=media_type)
        return len(data)

    def open(self, key: str) -> BinaryIO:
        """Fetch a file into memory; signed forms and the painters bound its length.

        Raises:
            FileNotFoundError: There is no such file.
            Unavailable: S3 broke off every answer.
        """
        for attempt in range(1, _TRIES + 1):
            with _absence_of(key):
                answer = self._client.get_object(Bucket=self._bucket(key), Key=key)
            try:
                return io.BytesIO(answer["Body"].read())
            except (HTTPClientError, IncompleteReadError) as error:
                # botocore retries requests, but not a streamed body that is cut off.
                broken = error
            time.sleep(0.1 * attempt)
        raise Unavailable(f"S3 broke off {_TRIES} answers about {key}") from broken

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None if there is no such file."""
        try:
            with _absence_of(key):
                return self._client.head_object(Bucket=self._bucket(key), Key=key)["ContentLength"]
        except FileNotFoundError:
            return None

    def copy(self, source: str, target: str) -> None:
        """Copy an object server-side, including its content type."""
        with _absence_of(source):
            self._client.copy_object(
                Bucket=self._bucket(target), Key=target, CopySource={"Bucket": self._bucket(source), "Key": source}
            )

    def delete_folder(self, prefix: str) -> None:
        """Delete every object under the prefix, 1000 per request. Raises OSError if any deletion fails."""
        if not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} is no folder: it must end with a slash")
        bucket = self._bucket(prefix)
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            keys = [entry["Key"] for entry in page.get("Contents", ())]
            if not keys:
                continue
            wanted = [{"Key": key} for key in keys]
            answer = self._client.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})  # type: ignore[typeddict-item]
            for failed in answer.get("Errors", ()):
                reason = f"{failed.get('Code')}: {failed.get('Message')}"
                raise OSError(f"{failed.get('Key')} and {len(answer['Errors']) - 1} more were not deleted: {reason}")

    def url(self, key: str, *, expires_at: datetime, filename: str) -> str:
        """Return a pre-signed GET URL."""
        params = {
            "Bucket": self._bucket(key),
            "Key": key,
            "ResponseContentDisposition": f'inline; filename="{filename}"',
            "ResponseContentType": media_type_of(key),
        }
        return self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=self._seconds_to(expires_at))

    def upload_form(self, key: str, *, media_type: str, max_bytes: int, expires_at: datetime) -> UploadForm:
        """Return a pre-signed POST. S3 itself enforces key, content type and length."""
        form = self._client.generate_presigned_post(
            self._bucket(key),
            key,
            Fields={"Content-Type": media_type},
            Conditions=[{"Content-Type": media_type}, ["content-length-range", 1, max_bytes]],
            ExpiresIn=self._seconds_to(expires_at),
        )
        return UploadForm(url=form["url"], fields=dict(form["fields"]))

    def _bucket(self, key: str) -> str:
        if not key.startswith(_UPLOADS):
            return self._results
        if self._uploads is None:
            raise PermissionError(f"{key} is an upload, and this function is not given the bucket of the uploads")
        return self._uploads

    def _seconds_to(self, time: datetime) -> int:
        return max(1, math.floor((time - self._clock.now()).total_seconds()))


@contextmanager
def _absence_of(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) in _ABSENT:
            raise FileNotFoundError(key) from error
        raise
