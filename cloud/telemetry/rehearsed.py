"""Rows that go nowhere: with them every kernel of the live path runs once before the first reading.

They are as from the wire: a kernel that is compiled for other arrays is of no use.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.rows import Block

ROWS: Final = 128
NUMBERS: Final = np.linspace(0.0, 1.0, ROWS)
ALL: Final = {  #: a column of each type
    "double": NUMBERS,
    "doubtful": NUMBERS,
    "single": NUMBERS.astype("f4"),
    "whole": np.arange(ROWS),
    "truth": np.arange(ROWS) % 2 == 0,
}
SURE: Final = {name: column for name, column in ALL.items() if name != "doubtful"}


def rehearsed(machine: str, start_ns: int, columns: Mapping[str, NDArray[Any]]) -> Block:
    """Return a row a second: read-only; those of `doubtful` are so, one of `whole` is missing."""
    rows = len(next(iter(columns.values())))
    return Block(
        n=0,
        machine=machine,
        device=machine,
        boot="none",
        stream="live",
        seq=0,
        times_ns=start_ns + np.arange(rows) * 10**9,
        received_ns=start_ns,
        signals=tuple(columns),
        columns=tuple(np.frombuffer(c.tobytes(), c.dtype) for c in columns.values()),
        quality={"doubtful": np.ones(rows, np.uint8)} if "doubtful" in columns else {},
        missing={"whole": np.arange(rows) == 1} if "whole" in columns else {},
    )
