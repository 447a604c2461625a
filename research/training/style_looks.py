"""Store what the works look like that are painted by code, beside their swatches: `python -m training.style_looks`.

To be run again whenever such a swatch or the compact encoder has changed. (For styles after other works, whose swatches
are no more than likenesses of them, see `training.style_folder`.)
"""

from __future__ import annotations

import argparse

from stylizer import stored_looks
from stylizer.style_folder import measure
from stylizer.styles import LOOK_FILE, LOOK_SIDE, Style, catalog


def painted_by_code() -> list[Style]:
    """The built-in styles whose swatches are the works themselves."""
    return [style for style in catalog().values() if style.artist == "Image Stylizer"]


def main(argv: list[str] | None = None) -> None:
    """Store all."""
    argparse.ArgumentParser(prog="python -m training.style_looks", description=__doc__).parse_args(argv)
    for style in painted_by_code():
        stored_looks.save(style.swatch.with_name(LOOK_FILE), *measure(style.swatch, (LOOK_SIDE,)))


if __name__ == "__main__":
    main()
