"""What the watch knows of four signals, side by side: a table (field, signal) and copies.

For `models.fleet.settled`; one signal's record is `models.fleet.layout.ONSET`.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.early import BLOCK, FREE, block_done
from models.fleet.layout import MOST
from models.fleet.onset import LAGS, LAYERS, PAST, SEASON
from models.fleet.vectors import LANES, larger, load, some, store, turned
from models.life.compiled import lean, part

ROWS: Final = 64  #: at a time
LONGEST: Final = LAGS[1]

# where the fields of four signals begin
STEP, RECENT_1, RECENT_2, RECENT_3, SLOW, SPREAD, LOW, HIGH = range(0, 8 * LANES, LANES)
AROUND, CENTRE, WIDTH, VISITS, HEARD, EVIDENCE = range(8 * LANES, 14 * LANES, LANES)
BASE, QUICK, NOISES, WANDER, REACH, SUM = range(14 * LANES, 20 * LANES, LANES)
EDGE: Final = 20 * LANES  # and of each layer
SCALE: Final = EDGE + LAYERS * LANES
SEEN: Final = SCALE + LAYERS * LANES
FRESH: Final = SEEN + LAYERS * LANES
ORIGIN: Final = FRESH + LANES
NEWS: Final = ORIGIN + LANES  # 1 where a triple was never seen before
TRIPLE: Final = NEWS + LANES
# and, four a row, readings, cells (those before first) and evidence
XS: Final = TRIPLE + LANES
PASTS: Final = XS + ROWS * LANES
CELL: Final = PASTS + PAST * LANES
OUT: Final = CELL + ROWS * LANES
TABLE: Final = OUT + ROWS * LANES


@lean
def _settled(o: Any, slot: int, day: int, session: int, early: bool, rules: Any) -> bool:
    """Whether a signal's shares are down to what they stay at, in this part of the day."""
    rows = min(o.rows, o.since)
    calm = o.session == session and (rows + 1.0) * rules.level_share >= 1.0
    calm = calm and rows >= max(rules.settle_rows, rules.warm_rows + 1.0, LONGEST)
    calm = calm and o.rows >= rules.onset_rows and o.step < np.inf and o.visits[slot] >= 4
    for i in range(LAYERS):
        if i != SEASON or day > 0:
            seen = o.seen[i] + 1.0
            calm = calm and seen > rules.tail_rows and seen * rules.tail_rate >= 1.0
    if early:
        calm = calm and o.early == 0 and o.moves > FREE and o.noise > 0.0
        calm = calm and o.rows >= max(rules.early_rows, rules.warm_rows)
        calm = calm and (o.known + 1.0) * rules.early_share >= 1.0 + 1e-9
    return bool(calm)


@lean
def settled(
    which: Any, onsets: Any, clock: NDArray[np.int64], r: int, lanes: int, early: bool, rules: Any
) -> bool:
    """Whether row `r` is not late, and all shares of the signals have come down to what stays."""
    slot, day, session = clock[r, 0], clock[r, 1], clock[r, 2]
    calm = day >= 0
    for j in range(lanes):
        calm = calm and _settled(onsets[which[j]], slot, day, session, early, rules)
    return bool(calm)


@lean
def ahead(
    t: Any,
    which: Any,
    onsets: Any,
    clock: NDArray[np.int64],
    first: int,
    r: int,
    lanes: int,
    early: bool,
) -> int:
    """Return how many rows from `r` on are in the same part of the day as row `first`.

    At most as many as the table holds, and of no signal beyond the end of a block.
    """
    count = min(ROWS, clock.shape[0] - r)
    if early:
        if some(~(load(t, NOISES) > 0.0)):
            return 0
        for j in range(lanes):
            count = min(count, BLOCK - onsets[which[j]].block_rows)
    i = 0
    while i < count:
        at = r + i
        if (
            clock[at, 0] != clock[first, 0]
            or clock[at, 1] != clock[first, 1]
            or clock[at, 2] != clock[first, 2]
        ):
            break
        i += 1
    return i


@lean
def fill(t: Any, j: int, o: Any, slot: int) -> None:
    """Copy what the watch knows of a signal into column j of the table."""
    t[STEP + j], t[SLOW + j] = o.step, o.level
    t[RECENT_1 + j], t[RECENT_2 + j], t[RECENT_3 + j] = o.recent[0], o.recent[1], o.recent[2]
    t[SPREAD + j], t[LOW + j], t[HIGH + j] = o.spread, o.low, o.high
    t[AROUND + j], t[CENTRE + j], t[WIDTH + j] = o.around, o.middle[slot], o.width[slot]
    t[ORIGIN + j] = o.origin
    t[VISITS + j], t[HEARD + j], t[EVIDENCE + j] = o.visits[slot], o.rows, o.evidence
    t[BASE + j], t[QUICK + j], t[NOISES + j] = o.base, o.quick, o.noise
    t[WANDER + j], t[REACH + j], t[SUM + j] = o.wander, o.reach, o.block_sum
    for i in range(LAYERS):
        at = i * LANES + j
        t[EDGE + at], t[SCALE + at], t[SEEN + at] = o.edge[i], o.scale[i], o.seen[i]
    t[FRESH + j] = o.fresh
    for i in range(PAST):
        t[PASTS + i * LANES + j] = o.cell[(o.rows + i) & (PAST - 1)]


@lean
def keep(t: Any, j: int, o: Any, slot: int, early: bool) -> None:
    """Copy column j of the table back."""
    o.step, o.level = t[STEP + j], t[SLOW + j]
    o.recent[0], o.recent[1], o.recent[2] = t[RECENT_1 + j], t[RECENT_2 + j], t[RECENT_3 + j]
    o.spread, o.low, o.high = t[SPREAD + j], t[LOW + j], t[HIGH + j]
    o.around, o.middle[slot], o.width[slot] = t[AROUND + j], t[CENTRE + j], t[WIDTH + j]
    o.visits[slot], o.evidence = int(t[VISITS + j]), t[EVIDENCE + j]
    for i in range(LAYERS):
        at = i * LANES + j
        o.edge[i], o.scale[i] = t[EDGE + at], t[SCALE + at]
    for i in range(PAST):
        o.cell[(o.rows + i) & (PAST - 1)] = np.uint8(t[PASTS + i * LANES + j])
    o.fresh = t[FRESH + j]
    o.early = 0
    if early:
        o.base, o.quick, o.noise, o.block_sum = t[BASE + j], t[QUICK + j], t[NOISES + j], t[SUM + j]


@lean
def count_on(
    t: Any, which: Any, onsets: Any, lanes: int, day: int, count: int, early: bool, rules: Any
) -> None:
    """Count rows that were taken, in the records and in the table; learn from full blocks."""
    for j in range(LANES):
        o = onsets[which[j]]
        if j < lanes:
            o.rows += count
            o.since = min(o.since + count, MOST)
            for i in range(LAYERS):
                if i != SEASON or day > 0:
                    o.seen[i] = min(o.seen[i] + count, MOST)
            if early:
                o.known = min(o.known + count, MOST)
                o.block_rows += count
                if o.block_rows == BLOCK:
                    o.block_sum = t[SUM + j]
                    block_done(o, rules)
        if early and o.block_rows == 0:
            t[WANDER + j], t[REACH + j], t[SUM + j] = o.wander, o.reach, o.block_sum
    store(t, HEARD, load(t, HEARD) + float(count))
    for i in range(LAYERS):
        if i != SEASON or day > 0:
            at = SEEN + i * LANES
            store(t, at, load(t, at) + float(count))
    for i in range(PASTS, CELL, LANES):
        store(t, i, load(t, i + count * LANES))


@lean
def lay(t: Any, offset: Any, r: int, count: int, cells: NDArray[np.float64]) -> None:
    """Lay the readings of four signals abreast."""
    a, b, c, d = offset[0] + r, offset[1] + r, offset[2] + r, offset[3] + r
    i = 0
    while i + 4 <= count:
        x = turned(load(cells, a + i), load(cells, b + i), load(cells, c + i), load(cells, d + i))
        at = XS + i * LANES
        store(t, at, x[0] + 0.0)  # no negative zero
        store(t, at + LANES, x[1] + 0.0)
        store(t, at + 2 * LANES, x[2] + 0.0)
        store(t, at + 3 * LANES, x[3] + 0.0)
        i += 4
    while i < count:
        for j in range(LANES):
            t[XS + i * LANES + j] = cells[offset[j] + r + i] + 0.0
        i += 1


@lean
def hand_out(
    t: Any, offset: Any, r: int, count: int, lanes: int, odds: NDArray[np.float64], strongest: Any
) -> None:
    """Put the evidence of four signals where each one's readings are; the strongest of each row."""
    i = 0
    while i + 4 <= count:
        at, to = OUT + i * LANES, r + i
        x = turned(
            load(t, at), load(t, at + LANES), load(t, at + 2 * LANES), load(t, at + 3 * LANES)
        )
        store(odds, offset[0] + to, x[0])
        if lanes > 1:
            store(odds, offset[1] + to, x[1])
        if lanes > 2:
            store(odds, offset[2] + to, x[2])
        if lanes > 3:
            store(odds, offset[3] + to, x[3])
        most = larger(larger(x[0], x[1]), larger(x[2], x[3]))
        store(strongest, to, larger(load(strongest, to), most))
        i += 4
    while i < count:
        for j in range(lanes):
            evidence = t[OUT + i * LANES + j]
            odds[offset[j] + r + i] = evidence
            strongest[r + i] = max(strongest[r + i], evidence)
        i += 1


@part
def rooms(rows: int) -> Any:
    """Return what the watch works in, for blocks of so many rows at most.

    The table of four signals; of each row its clock, the strongest evidence and the inverse of the
    limit; of four signals their records and where their readings are.
    """
    return (
        *(np.empty(TABLE), np.empty((rows, 4), np.int64), np.empty(rows), np.empty(rows)),
        *(np.empty(LANES, np.int64), np.empty(LANES, np.int64)),
    )
