"""The clients' job requests: a random mix, reproducible by its seed."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

from pictures import encoded
from PIL import Image, ImageDraw

Kind = Literal["paint", "slow", "clip", "broken", "cancel", "again"]
"""Painted; painted by a slow method; a clip; fails due to its image; canceled after a moment; submitted twice."""

_KINDS: tuple[Kind, ...] = ("paint", "slow", "clip", "broken", "cancel", "again")
_WEIGHTS = (46, 12, 12, 8, 12, 10)
_CLIP_FRAMES = 40  # three segments
_CLIP_FORMATS = ("gif", "mp4")
_SHAPES = ((96, 72), (64, 64), (48, 96))
_STYLES = ("woodcut", "mosaic", "stained-glass", "starry-night")
_FORMATS = ("jpeg", "png", "webp")


@dataclass(frozen=True)
class JobRequest:
    """One painting that a client requests.

    Attributes:
        number: Index in the run, part of its idempotency key.
        photo: The encoded file.
        shape: Width and height of the photo.
        fields: The other fields of the request.
        by_upload: Whether the photo is uploaded first, by a form of the store, rather than sent with the request.
    """

    number: int
    kind: Kind
    photo: bytes
    shape: tuple[int, int]
    by_upload: bool
    fields: dict[str, Any] = field(default_factory=dict)


def make_job_requests(chance: random.Random, count: int, webhook: str | None = None) -> list[JobRequest]:
    """Make job requests, at least one of every kind if `count` allows.

    Args:
        chance: Random generator of the mix.
        count: Number of job requests.
        webhook: URL that a third of the requests are notified at; none if None.
    """
    kinds = [*_KINDS, *chance.choices(_KINDS, _WEIGHTS, k=count)][:count]
    chance.shuffle(kinds)
    return [_job_request(chance, number, kind, webhook) for number, kind in enumerate(kinds)]


def _job_request(chance: random.Random, number: int, kind: Kind, webhook: str | None) -> JobRequest:
    shape = chance.choice(_SHAPES)
    fields: dict[str, Any] = {
        "style": chance.choice(_STYLES),
        "size": chance.randrange(64, 97),
        "quality": "draft",
        "seed": chance.randrange(1000),
        "format": chance.choice(_FORMATS),
    }
    if kind == "slow":
        fields |= {"method": chance.choice(("texture", "optimization")), "size": 64}
    if kind == "clip":
        # At this strength the painting still shows which frame it is of. Mostly by color: feedforward takes 12 s.
        method = chance.choice(("color", "color", "feedforward"))
        fields |= {"method": method, "size": 64, "format": chance.choice(_CLIP_FORMATS), "strength": 0.5}
        fields["animate"] = True
    if webhook and number % 3 == 0:
        fields["webhook"] = f"{webhook}&number={number}"
    photo = _broken_photo(shape) if kind == "broken" else encoded(_photo(chance, shape))
    if kind == "clip":
        photo = _clip([_checkers(chance, shape) for _ in range(_CLIP_FRAMES)])
    return JobRequest(number, kind, photo, shape, chance.random() < 0.4, fields)


def _clip(frames: list[Image.Image]) -> bytes:
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0)


def _checkers(chance: random.Random, shape: tuple[int, int]) -> Image.Image:
    """Return random squares, which distinguish a frame from all others even when it is painted."""
    squares = Image.frombytes("L", (6, 6), bytes(chance.choice((40, 215)) for _ in range(36)))
    return squares.resize(shape, Image.Resampling.NEAREST).convert("RGB")


def _photo(chance: random.Random, shape: tuple[int, int]) -> Image.Image:
    image = Image.linear_gradient("L").resize(shape).convert("RGB")
    x, y = chance.randrange(shape[0] // 2), chance.randrange(shape[1] // 2)
    color = tuple(chance.randrange(256) for _ in range(3))
    ImageDraw.Draw(image).ellipse((x, y, x + shape[0] // 2, y + shape[1] // 2), fill=color)
    return image


def _broken_photo(shape: tuple[int, int]) -> bytes:
    """Return a PNG with only its pixel data broken, so that only decoding it reveals the defect."""
    file = encoded(Image.effect_noise(shape, 80), "PNG")
    parts, place = [file[:8]], 8
    while place < len(file):
        (length,) = struct.unpack_from(">I", file, place)
        kind, body = file[place + 4 : place + 8], file[place + 8 : place + 8 + length]
        if kind == b"IDAT":
            body = body[:20] + b"\xff" * (length - 20)
        parts.append(struct.pack(">I", length) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
        place += 12 + length
    return b"".join(parts)
