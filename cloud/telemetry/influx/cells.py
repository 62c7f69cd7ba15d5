"""Readings and their states of blocks of one layout, side by side as the line kernel takes them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry.fresh import MISSING, QUALITY, Layout
from models.rows import Block


def filled(cells: NDArray[np.int64], blocks: Sequence[Block], layout: Layout) -> NDArray[np.int64]:
    """Fill the columns (k, n) of a layout with those of its blocks; return them."""
    doubles = cells.view(np.float64)
    tables = [block.columns for block in blocks if isinstance(block.columns, np.ndarray)]
    if len(tables) == len(blocks):
        np.concatenate(tables, axis=1, out=doubles)
        return cells
    columns = zip(*[block.columns for block in blocks], strict=True)
    for j, ((_, code), parts) in enumerate(zip(layout, columns, strict=True)):
        np.concatenate(parts, out=(doubles if code in "df" else cells)[j])
    return cells


def stated(
    blocks: Sequence[Block], layout: Layout, lengths: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return the states (k, n) of a layout's readings: worst quality and what is missing."""
    states = np.zeros((len(layout), int(lengths.sum())), np.uint8)
    at = 0
    for block, count in zip(blocks, lengths.tolist(), strict=True):
        for j, (name, _) in enumerate(layout):
            if name in block.quality:
                states[j, at : at + count] = np.minimum(block.quality[name], QUALITY)
            if name in block.missing:
                states[j, at : at + count] |= np.where(block.missing[name], MISSING, 0).astype(
                    np.uint8
                )
        at += count
    return states
