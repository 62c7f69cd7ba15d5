"""What the watch knows of eight signals, side by side: a table (field, signal) and copies.

For `models.fleet.settled`; one signal's record is `models.fleet.layout.ONSET`.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.early import FREE
from models.fleet.layout import MOST
from models.fleet.onset import LAGS, LAYERS, PAST, SEASON
from models.fleet.vectors import WIDE as LANES
from models.fleet.vectors import load_wide as load
from models.fleet.vectors import some, store, turned
from models.life.compiled import lean, part

ROWS: Final = 64  #: at a time
LONGEST: Final = LAGS[1]
SETTLED: Final = 4  #: readings of a part of the day from which on they are clipped

# where the fields of the signals begin
STEP, SLOW, SPREAD, LOW, HIGH, AROUND, CENTRE, WIDTH = range(0, 8 * LANES, LANES)
VISITS, HEARD, EVIDENCE, BASE, QUICK, NOISES = range(8 * LANES, 14 * LANES, LANES)
WANDER, REACH, SUM, BLOCKED = range(14 * LANES, 18 * LANES, LANES)
EDGE: Final = 18 * LANES  # and of each layer
SCALE: Final = EDGE + LAYERS * LANES
SEEN: Final = SCALE + LAYERS * LANES
FRESH: Final = SEEN + LAYERS * LANES
ORIGIN: Final = FRESH + LANES
RECENT_3: Final = ORIGIN + LANES  # the last readings lie before the next ones
RECENT_2: Final = RECENT_3 + LANES
RECENT_1: Final = RECENT_2 + LANES
# and, one vector a row, readings, cells (those before first), their triples, where these are new,
# exponents and evidence
XS: Final = RECENT_1 + LANES
PASTS: Final = XS + ROWS * LANES
CELL: Final = PASTS + PAST * LANES
TRIPLE: Final = CELL + ROWS * LANES
NEWS: Final = TRIPLE + ROWS * LANES
TOTAL: Final = NEWS + ROWS * LANES
OUT: Final = TOTAL + ROWS * LANES
TABLE: Final = OUT + ROWS * LANES


@lean
def _settled(o: Any, day: int, session: int, early: bool, rules: Any) -> bool:
    """Whether a signal's shares are down to what they stay at, but for its part of the day."""
    rows = min(o.rows, o.since)
    calm = o.session == session and (rows + 1.0) * rules.level_share >= 1.0
    calm = calm and rows >= max(rules.settle_rows, rules.warm_rows + 1.0, LONGEST)
    calm = calm and o.rows >= rules.onset_rows and o.step < np.inf
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
def alone(o: Any, clock: Any, at: int, early_days: int, rules: Any) -> bool:
    """Whether a signal itself has not settled, by the clock of a row that is not late."""
    day, session = clock[at, 1], clock[at, 2]
    return bool(day >= 0 and not _settled(o, day, session, day < early_days, rules))


@lean
def settled(
    which: Any, base: Any, onsets: Any, clock: Any, r: int, lanes: int, early_days: int, rules: Any
) -> bool:
    """Whether row `r` is late for none, and all shares of the signals are down to what stays.

    And whether it is the first day for all or for none, and early for all or for none.
    """
    first = clock[base[0] + r, 1]
    calm = True
    for j in range(lanes):
        at = base[j] + r
        slot, day, session = clock[at, 0], clock[at, 1], clock[at, 2]
        o, early = onsets[which[j]], day < early_days
        calm = calm and day >= 0 and (day > 0) == (first > 0) and early == (first < early_days)
        calm = calm and o.visits[slot] >= SETTLED and _settled(o, day, session, early, rules)
    return bool(calm)


@lean
def ahead(t: Any, base: Any, clock: Any, first: int, r: int, end: int, early: bool) -> int:
    """Return how many rows from `r` on are in the same parts of the day as row `first`.

    At most as many as the table holds, and none from `end` on.
    """
    if early and some(~(load(t, NOISES) > 0.0)):
        return 0
    count = min(ROWS, end - r)
    for j in range(LANES):
        count = min(count, clock[base[j] + first, 4] - (r - first))
    return int(count)


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
    t[WANDER + j], t[REACH + j] = o.wander, o.reach
    t[SUM + j], t[BLOCKED + j] = o.block_sum, o.block_rows
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
        o.base, o.quick, o.noise = t[BASE + j], t[QUICK + j], t[NOISES + j]
        o.block_sum, o.block_rows = t[SUM + j], int(t[BLOCKED + j])


@lean
def count_on(
    t: Any, which: Any, onsets: Any, lanes: int, day: int, count: int, early: bool
) -> None:
    """Count rows that were taken, in the records and in the table."""
    for j in range(lanes):
        o = onsets[which[j]]
        o.rows += count
        o.since = min(o.since + count, MOST)
        for i in range(LAYERS):
            if i != SEASON or day > 0:
                o.seen[i] = min(o.seen[i] + count, MOST)
        if early:
            o.known = min(o.known + count, MOST)
    store(t, HEARD, load(t, HEARD) + float(count))
    for i in range(LAYERS):
        if i != SEASON or day > 0:
            at = SEEN + i * LANES
            store(t, at, load(t, at) + float(count))
    for i in range(PASTS, CELL, LANES):
        store(t, i, load(t, i + count * LANES))


@lean
def lay(t: Any, offset: Any, r: int, count: int, cells: NDArray[np.float64]) -> None:
    """Lay the readings of the signals abreast."""
    a, b, c, d = offset[0] + r, offset[1] + r, offset[2] + r, offset[3] + r
    e, f, g, h = offset[4] + r, offset[5] + r, offset[6] + r, offset[7] + r
    i = 0
    while i < count and count >= LANES:
        i = min(i, count - LANES)  # the last ones once more
        xs = turned(
            load(cells, a + i), load(cells, b + i), load(cells, c + i), load(cells, d + i),
            load(cells, e + i), load(cells, f + i), load(cells, g + i), load(cells, h + i),
        )  # fmt: skip
        at = XS + i * LANES
        store(t, at, xs[0] + 0.0)  # no negative zero
        store(t, at + LANES, xs[1] + 0.0)
        store(t, at + 2 * LANES, xs[2] + 0.0)
        store(t, at + 3 * LANES, xs[3] + 0.0)
        store(t, at + 4 * LANES, xs[4] + 0.0)
        store(t, at + 5 * LANES, xs[5] + 0.0)
        store(t, at + 6 * LANES, xs[6] + 0.0)
        store(t, at + 7 * LANES, xs[7] + 0.0)
        i += LANES
    while i < count:
        for j in range(LANES):
            t[XS + i * LANES + j] = cells[offset[j] + r + i] + 0.0
        i += 1


@lean
def hand_out(
    t: Any, offset: Any, r: int, count: int, lanes: int, odds: NDArray[np.float64]
) -> None:
    """Put the evidence of the signals where each one's readings are."""
    i = 0
    while i < count and count >= LANES:
        i = min(i, count - LANES)  # the last ones once more
        at, to = OUT + i * LANES, r + i
        x = turned(
            load(t, at), load(t, at + LANES), load(t, at + 2 * LANES), load(t, at + 3 * LANES),
            load(t, at + 4 * LANES), load(t, at + 5 * LANES), load(t, at + 6 * LANES),
            load(t, at + 7 * LANES),
        )  # fmt: skip
        store(odds, offset[0] + to, x[0])  # behind the last signal that one again
        store(odds, offset[1] + to, x[1])
        store(odds, offset[2] + to, x[2])
        store(odds, offset[3] + to, x[3])
        store(odds, offset[4] + to, x[4])
        store(odds, offset[5] + to, x[5])
        store(odds, offset[6] + to, x[6])
        store(odds, offset[7] + to, x[7])
        i += LANES
    while i < count:
        for j in range(lanes):
            odds[offset[j] + r + i] = t[OUT + i * LANES + j]
        i += 1


@part
def rooms(rows: int, widest: int) -> Any:
    """Return what the watch works in, for so many rows, and so many of a block.

    The table of eight signals; of each row its clock; of each row of a block the strongest evidence
    and the inverse of the limit; of eight signals their records, where their readings are, the
    first row of their block and their machine.
    """
    return (
        *(np.zeros(TABLE), np.empty((rows, 5), np.int64), np.empty(widest), np.empty(widest)),
        *(np.empty(LANES, np.int64), np.empty(LANES, np.int64)),
        *(np.empty(LANES, np.int64), np.empty(LANES, np.int64)),
    )
