"""Cells that hold no reading: bad quality, missing, or a number that nothing can be."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.compiled import lean
from models.rows import Block

BAD_QUALITY: Final = 2
LARGEST: Final = 1e150  #: beyond it no reading: its square, summed over years, must stay a number
SMALLEST: Final = 1e-150  #: below it 0: no spread of a signal may come near the smallest number


@lean
def plain(cells: NDArray[np.float64]) -> None:
    """Make readings so large that they cannot be NaN, and those next to nothing 0.

    All that is scored goes through here, so nothing behind it overflows: no unit measures so far.
    """
    for i in range(len(cells)):
        size = abs(cells[i])
        small = 0.0 if size < SMALLEST else cells[i]
        cells[i] = np.nan if size > LARGEST else small


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
