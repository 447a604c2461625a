"""`python -m swatches [ID ...]`: paint the pictures of the built-in styles anew."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image

from swatches.works import WORKS

STYLES = Path(__file__).resolve().parents[2] / "core" / "stylizer" / "styles"
MAX_BYTES = 150_000


def main() -> None:
    """Paint the named works, or all of them, into the folders of their styles."""
    parser = argparse.ArgumentParser(prog="python -m swatches", description="Paint the built-in styles' pictures.")
    parser.add_argument("id", nargs="*", help=f"which to paint; all if none is named: {', '.join(WORKS)}")
    for name in parser.parse_args().id or WORKS:
        if name not in WORKS:
            parser.error(f"there is no work {name!r}; the works are {', '.join(WORKS)}")
        data = webp(Image.fromarray(WORKS[name].render()))
        target = STYLES / name / "swatch.webp"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")


def webp(image: Image.Image) -> bytes:
    """The best WebP of at most MAX_BYTES."""
    for quality in range(95, 40, -1):
        buffer = io.BytesIO()
        image.save(buffer, "webp", quality=quality, method=6)
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue()
    raise ValueError(f"the picture does not fit in {MAX_BYTES} bytes at a quality worth having")


if __name__ == "__main__":
    main()
