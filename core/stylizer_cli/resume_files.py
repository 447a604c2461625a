"""Resume files: the API request of a paint job, kept beside its target until the painting is written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from stylizer import styles
from stylizer.errors import UnreadableImage
from stylizer.images.limits import Limits, noun
from stylizer.images.reading import open_header
from stylizer.options import Options
from stylizer.output import write_atomically
from stylizer_cli.jobs import PaintJob
from stylizer_cli.sources import STANDARD_STREAM, is_url

_NO_LIMITS = Limits(max_bytes=2**40, max_pixels=2**60)  # the service checks its own limits
ApiRequest = dict[str, Any]
"""Arguments of `AsyncClient.stylize`, as JSON."""


class InputPicture:
    """A picture to upload, whose format is checked as for local painting.

    Args:
        source: Path, or - for stdin.
        field: Input it belongs to.
        is_clip: Whether it is an animated picture or a video, which only the service checks.

    Attributes:
        name: File name.
        content: Bytes of the file.

    Raises:
        ImageError: The file cannot be read, or is not a picture.
    """

    def __init__(self, source: str, field: str, *, is_clip: bool = False):
        self.name = source
        try:
            self.content = sys.stdin.buffer.read() if source == STANDARD_STREAM else Path(source).read_bytes()
        except OSError as error:
            detail = f"{noun(field)} {source!r} cannot be read: {error.strerror}"
            raise UnreadableImage(detail, field=field) from error
        if not is_clip:
            open_header(self.content, _NO_LIMITS, field)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


class ResumeFile:
    """The request of a paint job, by which the same command finds the stylization again.

    Attributes:
        path: Path of the file, ".NAME.resume"; None for a job that cannot be resumed, such as one to stdout.
        pictures: Pictures to upload, by input.
    """

    def __init__(self, job: PaintJob, api: str):
        request, target = job.request, job.target.path
        self.path = target.with_name(f".{target.name}.resume") if target is not None and job.is_resumable else None
        self._job = job
        photo = None if is_url(job.photo) else job.photo
        sources = {"content": photo, "mask": request.mask, "content_mask": request.content_mask}
        sources |= {f"style {name}": file for name in request.names if (file := local_picture(name)) is not None}
        sources |= {f"styles[{index}].mask": style.mask for index, style in enumerate(request.styles)}
        self.pictures = {
            field: InputPicture(source, field.partition(" ")[0], is_clip=job.animate and field == "content")
            for field, source in sources.items()
            if source is not None
        }
        digests = {field: picture.sha256 for field, picture in self.pictures.items()}
        self._fingerprint = _digest([api, self.request(digests)])

    def request(self, ids: dict[str, str]) -> ApiRequest:
        """Build the request, given the upload id of each picture."""
        request = self._job.request
        return {
            "style": [
                [ids.get(f"style {name}", name), weight, *([] if mask is None else [ids[f"styles[{index}].mask"]])]
                for index, (name, weight, mask) in enumerate(request.styles)
            ],
            **{field: ids[field] for field in ("content", "mask", "content_mask") if field in ids},
            **({"content_url": self._job.photo} if is_url(self._job.photo) else {}),
            **option_values(request.options),
            "method": request.method,
            **({"variants": request.variants} if request.variants > 1 else {}),
            **({"animate": True} if self._job.animate else {}),
            "format": self._job.target.format,
            "format_quality": self._job.quality,
        }

    def read(self) -> ApiRequest | None:
        """Return the request of an earlier command for the same job, with the same pictures, at the same service."""
        try:
            stored = json.loads(self.path.read_text()) if self.path else {}
        except (FileNotFoundError, ValueError):
            return None
        return cast(ApiRequest, stored["request"]) if stored.get("fingerprint") == self._fingerprint else None

    def write(self, request: ApiRequest) -> None:
        """Store a request for a later command."""
        if self.path is not None:
            write_atomically(self.path, json.dumps({"fingerprint": self._fingerprint, "request": request}).encode())

    def discard(self) -> None:
        """Delete the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def option_values(options: Options) -> dict[str, Any]:
    """Return options as the API takes them. What came later is left out by default, for services that lack it."""
    values = dataclasses.asdict(options)
    if options.keep_metadata == "none":
        del values["keep_metadata"]
    return values


def local_picture(style: str) -> str | None:
    """Return the picture of a style that the service does not have: a local style, or a file."""
    if style in styles.catalog():
        return None
    own = styles.find(style)
    if own is not None:
        return str(own.swatch)
    return style if Path(style).exists() else None


def idempotency_key(request: ApiRequest) -> str:
    """Derive the idempotency key, which makes the service return the existing job for a repeated request."""
    return _digest(request)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
