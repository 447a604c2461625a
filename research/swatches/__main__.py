"""`python -m swatches [ID ...]`: generate the swatches of the built-in styles."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image

from swatches.works import WORKS

STYLES = Path(__file__).resolve().parents[2] / "core" / "stylizer" / "styles"
MAX_BYTES = 150_000


def main() -> None:
    """Generate the named works, or all of them, in the folders of their styles."""
    parser = argparse.ArgumentParser(prog="python -m swatches", description="Generate the built-in styles' swatches.")
    parser.add_argument("id", nargs="*", help=f"works to generate (default: all): {', '.join(WORKS)}")
    for name in parser.parse_args().id or WORKS:
        if name not in WORKS:
            parser.error(f"there is no work {name!r}; the works are {', '.join(WORKS)}")
        data = webp(Image.fromarray(WORKS[name].render()))
        target = STYLES / name / "swatch.webp"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")


def webp(image: Image.Image) -> bytes:
    """Encode as WebP with the highest quality that fits in MAX_BYTES."""
    for quality in range(95, 40, -1):
        buffer = io.BytesIO()
        image.save(buffer, "webp", quality=quality, method=6)
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue()
    raise ValueError(f"the image does not fit in {MAX_BYTES} bytes at quality 41 or above")


if __name__ == "__main__":
    main()
