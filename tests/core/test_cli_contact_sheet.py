from __future__ import annotations

import numpy as np
from PIL import Image

from stylizer_cli.contact_sheet import Block, Cell, compose


def test_compose_leaves_missing_cells_empty() -> None:
    red, blue = (Cell(color, Image.new("RGB", (30, 20), color)) for color in ("red", "blue"))
    sheet = np.asarray(compose([Block("Colors", [[red, None], [None, blue]])], (30, 20)))
    is_red, is_blue = ((sheet == color).all(2) for color in ((255, 0, 0), (0, 0, 255)))
    assert (is_red.sum(), is_blue.sum()) == (600, 600)
    (red_rows, red_columns), (blue_rows, blue_columns) = (np.nonzero(found) for found in (is_red, is_blue))
    assert red_rows.max() < blue_rows.min()
    assert red_columns.max() < blue_columns.min()
    for rows, columns in ((red_rows, blue_columns), (blue_rows, red_columns)):
        assert (sheet[rows, columns] == sheet[0, 0]).all(), "background only"
