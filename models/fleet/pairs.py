"""Signals that move together in the healthy reference, compiled: what is needed of each pair.

While the reference still grows, what the contexts leave of a signal is set beside what they leave
of the machine's other signals in the same rows. The sums stand still with the reference, and are
read when somebody asks for reasons (`models.fleet.witnesses`): nothing here enters a score.
"""

# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import PEERS
from models.life.compiled import lean


@lean
def _place(ref: Any, other: int) -> int:
    """Return the place of a peer, a free one at first sight, or -1. Peers are kept plus one."""
    for i in range(PEERS):
        if ref.peer[i] == other + 1 or ref.peer[i] == 0:
            ref.peer[i] = other + 1
            return i
    return -1


@lean
def pair_up(
    rests: Any, lanes: Any, references: Any, layout: NDArray[np.int32], begin: int, end: int
) -> None:
    """Add a row to the pairs of its signals whose reference has just learned.

    `rests`: of each column what the contexts left of it, NaN where nothing was learned.

    Each signal is paired with the first few others of a block only: many would cost more than all
    else that a row costs.
    """
    for j in range(begin, end, 2):
        rest = rests[(j - begin) // 2]
        if np.isnan(rest):
            continue
        left = PEERS
        for k in range(begin, end, 2):
            other = rests[(k - begin) // 2]
            if k == j or np.isnan(other):
                continue
            ref = references[lanes[layout[j]].onset]
            i = _place(ref, layout[k])
            if i >= 0:
                ref.pair_n[i] += 1
                ref.pair_xx[i] += rest * rest
                ref.pair_xy[i] += rest * other
                ref.pair_yy[i] += other * other
            left -= 1
            if left == 0:
                break
