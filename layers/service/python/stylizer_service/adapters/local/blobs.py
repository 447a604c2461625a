"""Blob storage in a folder, with signed links and upload forms that this server verifies itself."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from stylizer_service.adapters.local.disk import reachable_disk
from stylizer_service.adapters.local.signing import Signer
from stylizer_service.files import media_type_of
from stylizer_service.ports import Clock, UploadForm
from stylizer_service.problems import failure, invalid

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file resolved from a signed link."""

    path: Path
    media_type: str
    filename: str


class UploadPolicy(BaseModel):
    """Constraints of a signed upload form."""

    key: str
    media_type: str
    max_bytes: int
    expires: int


class LocalBlobs:
    """Port `Blobs`, plus what the HTTP layer needs to accept uploads and serve links.

    Every file is written to a temporary draft, fsynced and then renamed: a key holds a complete file or none. Files are
    never modified in place, so a hard link can serve as a copy.
    """

    def __init__(self, folder: Path, signer: Signer, clock: Clock):
        self._root = folder / "blobs"
        self._drafts = folder / "drafts"
        self._root.mkdir(parents=True, exist_ok=True)
        self._drafts.mkdir(exist_ok=True)
        self._signer = signer
        self._clock = clock

    def put(self, key: str, source: BinaryIO | bytes, media_type: str) -> int:  # noqa: ARG002
        """Store a file. Its media type is not stored: implied by the suffix for results, detected for inputs."""
        with self.writer(key, max_bytes=None) as writer:
            if isinstance(source, bytes):
                writer.write(source)
            else:
                shutil.copyfileobj(source, writer, _CHUNK)
        return writer.length

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading."""
        with reachable_disk():
            return self._path(key).open("rb")

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None if there is no such file."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def copy(self, source: str, target: str) -> None:
        """Copy `source` to `target`, as a hard link where the file system supports it."""
        draft = self._draft()
        with reachable_disk():
            try:
                try:
                    os.link(self._path(source), draft)
                except FileNotFoundError:
                    raise
                except OSError:  # hard links unsupported, or the link limit reached
                    shutil.copyfile(self._path(source), draft)
                self._publish(draft, self._path(target))
            finally:
                draft.unlink(missing_ok=True)

    def delete_folder(self, prefix: str) -> None:
        """Delete every file under the prefix."""
        folder = self._path(prefix.removesuffix("/"))
        # Rename first, then delete: a crash in between leaves only a draft.
        grave = self._draft()
        with reachable_disk():
            try:
                folder.rename(grave)
            except FileNotFoundError:
                return
            shutil.rmtree(grave)

    def url(self, key: str, *, expires_at: datetime, filename: str) -> str:
        """Return a signed link."""
        self._path(key)
        expires = str(int(expires_at.timestamp()))
        signature = self._signer.sign("file", key, expires, filename)
        query = urlencode({"expires": expires, "filename": filename, "signature": signature})
        return f"/v1/files/{quote(key)}?{query}"

    def resolve(self, key: str, *, expires: str, filename: str, signature: str) -> StoredFile:
        """Return the file that a signed link refers to.

        Raises:
            ProblemError: `forbidden` if the signature does not match, `expired` if the link has expired, `not-found` if
                the file is gone.
        """
        if not self._signer.matches(signature, "file", key, expires, filename):
            raise failure("forbidden", "the link was not created by this server, or was altered")
        if int(expires) < self._clock.now().timestamp():
            raise failure("expired", "the link has expired; get a new one from the resource")
        path = self._path(key)
        if not path.is_file():
            raise failure("not-found", "the file is gone")
        return StoredFile(path, media_type_of(key), filename)

    def upload_form(self, key: str, *, media_type: str, max_bytes: int, expires_at: datetime) -> UploadForm:
        """Return a signed form, structured like S3's: a plaintext policy and a signature over it."""
        policy = UploadPolicy(key=key, media_type=media_type, max_bytes=max_bytes, expires=int(expires_at.timestamp()))
        encoded = base64.b64encode(policy.model_dump_json().encode()).decode()
        fields = {
            "key": key,
            "Content-Type": media_type,
            "policy": encoded,
            "signature": self._signer.sign("form", encoded),
        }
        return UploadForm(url=f"/v1/{quote(key)}", fields=fields)

    def check_form(self, key: str, form: Mapping[str, str]) -> UploadPolicy:
        """Return the verified policy of a form that uploads a file to `key`.

        Raises:
            ProblemError: `invalid-request` if a field is missing or contradicts the policy, `forbidden` if the
                signature does not match, `expired` if the form has expired.
        """
        for name in ("key", "Content-Type", "policy", "signature"):
            if name not in form:
                raise invalid(name, f"the form has no field {name}", "the fields given with the upload, then file")
        if not self._signer.matches(form["signature"], "form", form["policy"]):
            raise failure("forbidden", "the form was not created by this server, or was altered", field="policy")
        policy = UploadPolicy.model_validate_json(base64.b64decode(form["policy"]))
        if policy.expires < self._clock.now().timestamp():
            raise failure("expired", "the form has expired; create a new upload", field="policy")
        for name, value, expected in (
            ("key", form["key"], policy.key),
            ("key", key, policy.key),
            ("Content-Type", form["Content-Type"], policy.media_type),
        ):
            if value != expected:
                raise invalid(name, f"{name} is {value!r}, which the policy does not allow", [expected])
        return policy

    @contextmanager
    def writer(self, key: str, *, max_bytes: int | None) -> Iterator[BlobWriter]:
        """Write a file in chunks; it is published when the block exits normally and discarded otherwise.

        Args:
            key: Target key.
            max_bytes: Size limit, enforced with a `too-large` problem; None for no limit.
        """
        target = self._path(key)
        draft = self._draft()
        with reachable_disk():
            try:
                with draft.open("xb") as file:
                    writer = BlobWriter(file, max_bytes)
                    yield writer
                    file.flush()
                    os.fsync(file.fileno())
                self._publish(draft, target)
            finally:
                draft.unlink(missing_ok=True)

    def untouched(self, kind: str, before: datetime) -> list[str]:
        """Return the names of the folders directly under `kind` with no entry added or removed since `before`."""
        return [entry.name for entry in _older(self._path(kind), before)]

    def remove_drafts(self, before: datetime) -> int:
        """Delete drafts last changed before that time; returns the count."""
        stale = _older(self._drafts, before)
        for entry in stale:
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        return len(stale)

    def _publish(self, draft: Path, target: Path) -> None:
        while True:
            try:
                _make_folder(target.parent)
                draft.replace(target)
                break
            except FileNotFoundError:
                # The target folder was deleted concurrently: retry. A missing draft is an error.
                if not draft.exists():
                    raise
        _flush_folder(target.parent)

    def _draft(self) -> Path:
        return self._drafts / secrets.token_hex(16)

    def _path(self, key: str) -> Path:
        """Return the path of a key. Rejects keys that are not plain names, so that none escapes the root."""
        parts = key.split("/")
        if not all(_NAME.fullmatch(part) for part in parts):
            raise failure("not-found", "there is no such file")
        return self._root.joinpath(*parts)


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, each fsynced into its parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Fsync a folder, making its entries durable."""
    with suppress(FileNotFoundError):  # Deleted concurrently: nothing left to make durable.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _older(folder: Path, before: datetime) -> list[Path]:
    """Return entries unchanged since `before`, by ctime, because a hard link keeps the source's mtime."""
    found = []
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # Deleted by a concurrent cleanup.
            if entry.stat().st_ctime < before.timestamp():
                found.append(entry)
    return found


class BlobWriter:
    """Counts written bytes and enforces the size limit."""

    def __init__(self, file: BinaryIO, max_bytes: int | None):
        self.length = 0
        self._file = file
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> int:
        """Append a chunk. Raises `too-large` beyond the limit."""
        self.length += len(data)
        if self._max_bytes is not None and self.length > self._max_bytes:
            raise failure(
                "too-large",
                f"the file is larger than {self._max_bytes} bytes",
                field="file",
                allowed=f"at most {self._max_bytes} bytes",
            )
        return self._file.write(data)
