"""Cells that hold no reading: bad quality, or missing."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.rows import Block

BAD_QUALITY: Final = 2


def blank(cells: NDArray[np.float64], first: int, block: Block) -> None:
    """Make bad and missing cells of a block NaN; its columns lie in `cells` from `first` on."""
    count = len(block)
    for column, name in enumerate(block.signals):
        part = cells[first + column * count : first + (column + 1) * count]
        quality = block.quality.get(name)
        if quality is not None:
            part[quality >= BAD_QUALITY] = np.nan
        missing = block.missing.get(name)
        if missing is not None:
            part[missing] = np.nan
