"""Cache statistics of the styles painted by code, beside their swatches: `python -m training.style_statistics`.

To be run again whenever such a swatch or the compact encoder has changed. (For styles after other works, whose swatches
are no more than likenesses of them, see `training.style_folder`.)
"""

from __future__ import annotations

import argparse

from stylizer import style_cache
from stylizer.style_folder import compute_statistics
from stylizer.styles import STATISTICS_FILE, STATISTICS_SIDE, Style, catalog


def painted_by_code() -> list[Style]:
    """The built-in styles whose swatches are the works themselves."""
    return [style for style in catalog().values() if style.artist == "Image Stylizer"]


def main(argv: list[str] | None = None) -> None:
    """Store all."""
    argparse.ArgumentParser(prog="python -m training.style_statistics", description=__doc__).parse_args(argv)
    for style in painted_by_code():
        style_cache.save(style.swatch.with_name(STATISTICS_FILE), *compute_statistics(style.swatch, (STATISTICS_SIDE,)))


if __name__ == "__main__":
    main()
