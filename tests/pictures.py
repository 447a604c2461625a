"""Pictures for tests, made anew each time."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw


def encoded(image: Image.Image, format: str = "JPEG") -> bytes:  # noqa: A002
    """A picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def disk_photo() -> bytes:
    """A small picture with something in it: a disk before a slope of light, 96 x 72."""
    image = Image.linear_gradient("L").resize((96, 72)).convert("RGB")
    ImageDraw.Draw(image).ellipse((24, 12, 68, 60), fill=(200, 90, 40))
    return encoded(image)
