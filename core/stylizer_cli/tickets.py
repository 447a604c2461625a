"""What is asked of a service for one errand, and how a later command finds it again."""

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
from stylizer.output import write_atomically
from stylizer_cli.errands import Errand
from stylizer_cli.targets import STANDARD_STREAM

# How large a picture may be is the service's affair.
_ANY = Limits(max_bytes=2**40, max_pixels=2**60)
Request = dict[str, Any]
"""The arguments of `AsyncClient.stylize`, as JSON has them."""


class Picture:
    """A picture to send, read and looked at: what is no picture at all is told here as it is for a painting here.

    Args:
        source: Its path, or - for stdin.
        field: Which input it is.

    Attributes:
        name: Of the file.
        content: Its bytes.

    Raises:
        ImageError: It cannot be read, or is no picture.
    """

    def __init__(self, source: str, field: str):
        self.name = source
        try:
            self.content = sys.stdin.buffer.read() if source == STANDARD_STREAM else Path(source).read_bytes()
        except OSError as error:
            detail = f"{noun(field)} {source!r} cannot be read: {error.strerror}"
            raise UnreadableImage(detail, field=field) from error
        open_header(self.content, _ANY, field)

    @cached_property
    def sha256(self) -> str:
        """Of its bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


class Ticket:
    """The request of one errand. It lies beside the painting to come until that is there.

    Attributes:
        path: Where it lies; None for a painting that no later command could continue, such as one to stdout.
        pictures: What has to be sent, by the input it is.
    """

    def __init__(self, errand: Errand, api: str):
        wish, target = errand.wish, errand.target.path
        self.path = target.with_name(f".{target.name}.ticket") if target is not None and errand.is_resumable else None
        self._errand = errand
        sources = {"content": errand.photo, "mask": wish.mask, "content_mask": wish.content_mask}
        sources |= {f"style {name}": file for name in wish.names if (file := picture_of(name)) is not None}
        self.pictures = {
            field: Picture(source, field.partition(" ")[0]) for field, source in sources.items() if source is not None
        }
        digests = {field: picture.sha256 for field, picture in self.pictures.items()}
        self._wish = _digest([api, self.request(digests)])

    def request(self, ids: dict[str, str]) -> Request:
        """What to ask, once the pictures are uploads of these ids."""
        wish, target = self._errand.wish, self._errand.target
        return {
            "style": [[ids.get(f"style {name}", name), weight] for name, weight in wish.styles],
            **{field: ids[field] for field in ("content", "mask", "content_mask") if field in ids},
            **dataclasses.asdict(wish.options),
            "method": wish.method,
            "format": target.format,
            "format_quality": self._errand.quality,
        }

    def read(self) -> Request | None:
        """The request of an earlier command, if that was the same errand with the same pictures."""
        try:
            kept = json.loads(self.path.read_text()) if self.path else {}
        except (FileNotFoundError, ValueError):
            return None
        return cast(Request, kept["request"]) if kept.get("wish") == self._wish else None

    def write(self, request: Request) -> None:
        """Keep a request for a later command."""
        if self.path is not None:
            write_atomically(self.path, json.dumps({"wish": self._wish, "request": request}).encode())

    def discard(self) -> None:
        """It has served, or is good for nothing."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def picture_of(style: str) -> str | None:
    """The picture of a style that the service cannot know by its name: one's own, or a file."""
    if style in styles.catalog():
        return None
    own = styles.find(style)
    if own is not None:
        return str(own.swatch)
    return style if Path(style).exists() else None


def key_of(request: Request) -> str:
    """The idempotency key of a request: asked again, the service answers with the job it has already."""
    return _digest(request)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
