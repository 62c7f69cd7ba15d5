"""Where samples of the same nanosecond go: each point of a series needs a time of its own.

A sample that comes when its nanosecond is taken goes to the next free one and keeps its own time in
a field. Samples that are newer than all before them need no look at the server; for the others the
times that are taken are asked for. A sample found there (the same source and number) keeps its
place, so that a repeated write changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.telemetry.influx.names import EDGE_NS, FARTHEST_NS
from models.life.compiled import kept

NEVER: Final = -(2**63)
APART_NS: Final = 600 * 10**9  #: late samples this far apart are looked up separately
Taken = dict[int, int]  #: stored time → row id
Lookup = Callable[[int, list[tuple[int, int]]], Taken]  #: (series, spans) → what is taken there


@dataclass(slots=True)
class Placed:
    """Where each row goes. Shapes (n,): `times` int64, `own` int64 (empty: nothing was moved)."""

    times: NDArray[np.int64]
    own: NDArray[np.int64]


@kept
@njit(nogil=True)
def _behind(times: Any, series: Any, newest: Any, touched: Any) -> bool:
    """Note in `touched` the series with a time not newer than all before; True if any."""
    found = False
    for r in range(len(times)):
        s = series[r]
        if times[r] > newest[s]:
            newest[s] = times[r]
        else:
            touched[s] = True
            found = True
    return found


def place(
    times: NDArray[np.int64],
    series: NDArray[np.int64],
    ids: NDArray[np.int64],
    newest: NDArray[np.int64],
    lookup: Lookup,
) -> Placed:
    """Return the stored times of rows in order of arrival.

    `newest` (series,) int64 holds each series' newest stored time (`NEVER`: it has none) and is
    brought up to date, unless `lookup` raises: then nothing has changed.
    """
    after = newest.copy()
    touched = np.zeros(len(newest), np.bool_)
    if not _behind(times, series, after, touched):
        newest[:] = after
        return Placed(times, times[:0])
    stored = times.copy()
    for one in np.flatnonzero(touched).tolist():
        rows = np.flatnonzero(series == one)
        mine = times[rows]
        old = mine[mine <= newest[one]]
        taken = lookup(one, list(_spans(old))) if newest[one] != NEVER and len(old) else {}
        for r, at in zip(
            rows.tolist(), _free(mine.tolist(), ids[rows].tolist(), taken), strict=True
        ):
            stored[r] = at
        after[one] = max(int(newest[one]), int(stored[rows].max()))
    newest[:] = after
    return Placed(stored, times)


def _free(times: list[int], rows: list[int], taken: Taken) -> Iterator[int]:
    """Yield the place of each row: the one it has, or the next free one from its time on."""
    known = {row: at for at, row in taken.items()}
    following: dict[int, int] = {}
    for own, row in zip(times, rows, strict=True):
        at = known.get(row, -1)
        if not own <= at <= own + FARTHEST_NS:
            at = following.get(own, own)
            while at in taken:
                at += 1
        following[own] = at + 1
        taken[at] = row
        known[row] = at
        yield at


def _spans(times: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    """Yield (start, end) spans that hold the times and the places behind them."""
    ordered = np.unique(times)
    cuts = np.flatnonzero(np.diff(ordered) > APART_NS) + 1
    for part in np.split(ordered, cuts):
        yield int(part[0]), min(int(part[-1]), EDGE_NS) + FARTHEST_NS
