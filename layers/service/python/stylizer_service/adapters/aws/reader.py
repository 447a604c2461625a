"""Seekable reader for S3 objects: the first request fetches the start, further ranges are fetched on demand."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, BinaryIO, NotRequired, TypedDict

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from stylizer_service.adapters.aws.errors import code_of
from stylizer_service.ports import Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

FIRST_BLOCK = 256 * 2**10
"""Bytes of the first request: covers the header of nearly every image, and all of a small one."""

_GROWTH = 4
_TRIES = 3


def open_object(client: S3Client, bucket: str, key: str) -> BinaryIO:
    """Open the object's current version as a seekable reader. Raises ClientError if there is no such object."""
    source = _Object(client, bucket, key)
    return io.BufferedReader(_Reader(source, *source.begin()))


class _Place(TypedDict):
    Bucket: str
    Key: str
    IfMatch: NotRequired[str]


class _Object:
    """One version of an object, read in byte ranges."""

    def __init__(self, client: S3Client, bucket: str, key: str):
        self._client = client
        self._place: _Place = {"Bucket": bucket, "Key": key}

    def begin(self) -> tuple[bytes, int]:
        """Return the first block and the total length in bytes."""
        try:
            answer, data = self._get(0, FIRST_BLOCK)
        except ClientError as error:
            if code_of(error) == "InvalidRange":  # the object is empty
                return b"", 0
            raise
        self._place["IfMatch"] = answer["ETag"]
        return data, int(answer["ContentRange"].rpartition("/")[2])

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes [start, end). Raises OSError if the object was replaced or deleted since it was opened."""
        try:
            return self._get(start, end)[1]
        except ClientError as error:
            if code_of(error) in ("PreconditionFailed", "412", "NoSuchKey"):
                raise OSError(f"{self._place['Key']} was replaced or deleted while it was read") from error
            raise

    def _get(self, start: int, end: int) -> tuple[GetObjectOutputTypeDef, bytes]:
        span = f"bytes={start}-{end - 1}"
        attempt = 1
        while True:
            answer = self._client.get_object(**self._place, Range=span)
            try:
                return answer, answer["Body"].read()
            except (HTTPClientError, IncompleteReadError) as error:
                # botocore retries requests, but not a streamed body that is cut off.
                if attempt == _TRIES:
                    raise Unavailable(f"S3 broke off {_TRIES} answers about {self._place['Key']}") from error
            time.sleep(0.1 * attempt)
            attempt += 1


class _Reader(io.RawIOBase):
    """Raw reader that caches the first and the latest block. Block size grows, so long reads need few requests."""

    def __init__(self, source: _Object, head: bytes, length: int):
        self._source = source
        self._head = head
        self._length = length
        self._at = 0
        self._block, self._block_start = b"", 0
        self._step = FIRST_BLOCK

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise OSError(f"cannot seek to {base + offset}, before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._some()[: len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def readall(self) -> bytes:
        start = self._at
        self._at = max(start, self._length)
        if start >= self._length:
            return b""
        known = self._head[start:]
        begin = start + len(known)
        return known + (self._source.read(begin, self._length) if begin < self._length else b"")

    def _some(self) -> memoryview:
        """Return at least one byte from the current position, or nothing at end of file."""
        if self._at < len(self._head):
            return memoryview(self._head)[self._at :]
        if not self._block_start <= self._at < self._block_start + len(self._block) and self._at < self._length:
            self._step *= _GROWTH
            self._block = self._source.read(self._at, min(self._at + self._step, self._length))
            self._block_start = self._at
        return memoryview(self._block)[self._at - self._block_start :]
