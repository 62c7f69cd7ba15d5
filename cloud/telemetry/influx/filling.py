"""The kernel that fills the open buckets of the roll-ups: one pass over rows as they come."""

from typing import Any, Final

import numpy as np

from cloud.telemetry.fresh import MISSING, QUALITY
from cloud.telemetry.influx.lines import BAD, SINGLE, TRUTH
from cloud.telemetry.rollup import (
    COUNT,
    FIRST,
    FIRST_NS,
    HOUR_NS,
    LAST,
    LAST_NS,
    MAX,
    MAX_NS,
    MIN,
    MIN_NS,
    MINUTE_NS,
    START,
    SUM,
    WORST,
    add,
    join_into,
)
from models.fleet.vectors import LANES, choose, every, load, some, store, turned
from models.life.compiled import inlined, kept, lean

NEVER: Final = -(2**63)
MINUTES, HOURS = 0, 1


@lean
def _take(  # noqa: PLR0917 (a kernel: what it sums up stays in registers)
    ints: Any,
    floats: Any,
    lost: Any,
    s: int,
    begin: int,
    end: int,
    times: Any,
    kind: int,
    cells: Any,
    doubles: Any,
    states: Any,
    j: int,
) -> None:
    """Add rows of signal `j` to open bucket `s`; they are of one minute, in any order."""
    stated = len(states) > 0
    worst, count = ints[WORST, s], ints[COUNT, s]
    first_ns, last_ns = ints[FIRST_NS, s], ints[LAST_NS, s]
    min_ns, max_ns = ints[MIN_NS, s], ints[MAX_NS, s]
    first, last = floats[FIRST, s], floats[LAST, s]
    low, high = floats[MIN, s], floats[MAX, s]
    total, rest = floats[SUM, s], lost[s]
    for r in range(begin, end):
        state: Any = np.int64(states[j, r]) if stated else 0
        worst = max(worst, state & QUALITY)
        value = 0.0
        if kind <= SINGLE:
            value = doubles[r]
            if np.isinf(value):
                worst = max(worst, BAD)
            if not np.isfinite(value):
                continue
        elif kind == TRUTH:
            value = 1.0 if cells[r] else 0.0
        else:
            value = np.float64(cells[r])
        if state & MISSING:
            continue
        when = times[r]
        if count == 0 or when < first_ns:
            first_ns = when
            first = value
        if count == 0 or when >= last_ns:
            last_ns = when
            last = value
        if count == 0 or value < low or (value == low and when < min_ns):
            min_ns = when
            low = value
        if count == 0 or value > high or (value == high and when < max_ns):
            max_ns = when
            high = value
        count += 1
        total, rest = add(total, rest, value)
    ints[WORST, s], ints[COUNT, s] = worst, count
    ints[FIRST_NS, s], ints[LAST_NS, s] = first_ns, last_ns
    ints[MIN_NS, s], ints[MAX_NS, s] = min_ns, max_ns
    floats[FIRST, s], floats[LAST, s] = first, last
    floats[MIN, s], floats[MAX, s] = low, high
    floats[SUM, s], lost[s] = total, rest


@inlined
def _taken(x: Any, r: int, state: Any) -> Any:
    """Return four buckets after row `r`: least, greatest, where they were, sum, loss, if odd."""
    low, high, low_at, high_at, total, rest, odd = state
    here = every(float(r))
    out = total + x
    taken = out - total
    return (
        choose(x < low, x, low),
        choose(x > high, x, high),
        choose(x < low, here, low_at),
        choose(x > high, here, high_at),
        out,
        rest + ((total - (out - taken)) + (x - taken)),  # as `rollup.add`
        odd | ~(abs(out) < np.inf),
    )


@lean
def _take_abreast(  # noqa: PLR0917 (a kernel)
    ints: Any,
    floats: Any,
    lost: Any,
    slots: Any,
    which: Any,
    count: int,
    begin: int,
    end: int,
    times: Any,
    doubles: Any,
    room: Any,
) -> bool:
    """Do what `_take` does for up to four columns whose rows are good and in order.

    Returns False, with nothing done, where one has a row older than what is there, or none finite.
    `which` (4,): the columns, the last one again in spare places. `room`: 24 numbers to work in.
    """
    for i in range(LANES):
        s, first = slots[which[i]], doubles[which[i], begin]
        fresh = ints[COUNT, s] == 0
        if not fresh and times[begin] < ints[LAST_NS, s]:
            return False
        room[i] = first if fresh else floats[MIN, s]
        room[LANES + i] = first if fresh else floats[MAX, s]
        room[2 * LANES + i], room[3 * LANES + i] = floats[SUM, s], lost[s]
    low, high, never = load(room, 0), load(room, LANES), every(-1.0)
    state = (low, high, never, never, load(room, 2 * LANES), load(room, 3 * LANES), low > high)
    a, b, c, d = doubles[which[0]], doubles[which[1]], doubles[which[2]], doubles[which[3]]
    r = begin
    while r + LANES <= end:
        xs = turned(load(a, r), load(b, r), load(c, r), load(d, r))
        state = _taken(xs[0], r, state)
        state = _taken(xs[1], r + 1, state)
        state = _taken(xs[2], r + 2, state)
        state = _taken(xs[3], r + 3, state)
        r += LANES
    while r < end:
        room[0], room[1], room[2], room[3] = a[r], b[r], c[r], d[r]
        state = _taken(load(room, 0), r, state)
        r += 1
    if some(state[6]):
        return False
    store(room, 0, state[0])
    store(room, LANES, state[1])
    store(room, 2 * LANES, state[2])
    store(room, 3 * LANES, state[3])
    store(room, 4 * LANES, state[4])
    store(room, 5 * LANES, state[5])
    for i in range(count):
        s = slots[which[i]]
        if ints[COUNT, s] == 0:
            ints[FIRST_NS, s] = ints[MIN_NS, s] = ints[MAX_NS, s] = times[begin]
            floats[FIRST, s] = doubles[which[i], begin]
        low_at, high_at = int(room[2 * LANES + i]), int(room[3 * LANES + i])
        if low_at >= 0:
            ints[MIN_NS, s] = times[low_at]
        if high_at >= 0:
            ints[MAX_NS, s] = times[high_at]
        floats[MIN, s], floats[MAX, s] = room[i], room[LANES + i]
        floats[SUM, s], lost[s] = room[4 * LANES + i], room[5 * LANES + i]
        floats[LAST, s], ints[LAST_NS, s] = doubles[which[i], end - 1], times[end - 1]
        ints[COUNT, s] += end - begin
    return True


@lean
def _clear(ints: Any, floats: Any, lost: Any, s: int) -> None:
    for i in range(7):
        ints[i, s] = 0
    for i in range(5):
        floats[i, s] = 0.0
    lost[s] = 0.0


@lean
def _emit(  # noqa: PLR0917 (a kernel)
    ints: Any, floats: Any, lost: Any, s: int, start: int, out: Any, values: Any, at: int
) -> None:
    for i in range(7):
        out[i, at] = ints[i, s]
    for i in range(5):
        values[i, at] = floats[i, s]
    values[SUM, at] += lost[s]
    out[START, at] = start


@lean
def _close(  # noqa: PLR0917 (a kernel)
    m: int,
    minute: int,
    first: Any,
    following: Any,
    open_at: Any,
    ints: Any,
    floats: Any,
    lost: Any,
    slots: Any,
    levels: Any,
    out: Any,
    values: Any,
    at: int,
) -> int:
    """Close machine `m`'s open minute, and its hour when `minute` lies in another."""
    hour = open_at[m] // HOUR_NS * HOUR_NS
    over = minute // HOUR_NS * HOUR_NS != hour
    s = first[m]
    while s >= 0:
        if ints[MINUTES, COUNT, s] or ints[MINUTES, WORST, s]:
            _emit(ints[MINUTES], floats[MINUTES], lost[MINUTES], s, open_at[m], out, values, at)
            slots[at] = s
            levels[at] = MINUTES
            join_into(ints[HOURS], floats[HOURS], s, out, values, at)
            if out[COUNT, at]:
                floats[HOURS, SUM, s], lost[HOURS, s] = add(
                    floats[HOURS, SUM, s], lost[HOURS, s], values[SUM, at]
                )
            _clear(ints[MINUTES], floats[MINUTES], lost[MINUTES], s)
            at += 1
        if over and (ints[HOURS, COUNT, s] or ints[HOURS, WORST, s]):
            _emit(ints[HOURS], floats[HOURS], lost[HOURS], s, hour, out, values, at)
            slots[at] = s
            levels[at] = HOURS
            _clear(ints[HOURS], floats[HOURS], lost[HOURS], s)
            at += 1
        s = following[s]
    return at


@kept
@lean
def advance(  # noqa: PLR0912, PLR0917 (a kernel: one pass, arrays in and out)
    begin: int,
    times: Any,
    machines: Any,
    whose: Any,
    columns: Any,
    kinds: Any,
    cells: Any,
    doubles: Any,
    states: Any,
    late: Any,
    first: Any,
    following: Any,
    width: Any,
    open_at: Any,
    ints: Any,
    floats: Any,
    lost: Any,
    slots: Any,
    levels: Any,
    out: Any,
    values: Any,
    which: Any,
    room: Any,
) -> tuple[int, int]:
    """Take rows from `begin` on; return the first row not taken, and how many buckets closed.

    `which` (4,) int64 and `room` (24,) are to work in: it makes no array, and so counts no holders.
    """
    at = 0
    stated = states.shape[0] > 0
    minute_ints, minute_floats, minute_lost = ints[MINUTES], floats[MINUTES], lost[MINUTES]
    r = begin
    while r < len(times):
        owner = whose[r]
        m = machines[owner]
        minute = times[r] // MINUTE_NS * MINUTE_NS
        if minute < open_at[m]:
            late[r] = True
            r += 1
            continue
        if minute > open_at[m]:
            if open_at[m] != NEVER:
                if at + 2 * width[m] > len(slots):
                    return r, at
                at = _close(
                    m,
                    minute,
                    first,
                    following,
                    open_at,
                    ints,
                    floats,
                    lost,
                    slots,
                    levels,
                    out,
                    values,
                    at,
                )
            open_at[m] = minute
        end, ordered = r + 1, not stated
        while end < len(times) and whose[end] == owner and 0 <= times[end] - minute < MINUTE_NS:
            ordered &= times[end] >= times[end - 1]
            end += 1
        taken = 0
        for j in range(cells.shape[0]):
            if ordered and kinds[j] <= SINGLE:
                which[taken] = j
                taken += 1
            else:
                _take(
                    minute_ints, minute_floats, minute_lost, columns[owner, j], r, end, times,
                    kinds[j], cells[j], doubles[j], states, j,
                )  # fmt: skip
            if taken == LANES or (taken > 0 and j + 1 == cells.shape[0]):
                for spare in range(taken, LANES):
                    which[spare] = which[taken - 1]
                if not _take_abreast(
                    minute_ints, minute_floats, minute_lost, columns[owner], which, taken, r, end,
                    times, doubles, room,
                ):  # fmt: skip
                    for c in which[:taken]:
                        _take(
                            minute_ints, minute_floats, minute_lost, columns[owner, c], r, end,
                            times, kinds[c], cells[c], doubles[c], states, c,
                        )  # fmt: skip
                taken = 0
        r = end
    return len(times), at
