"""The kernel that fills the open buckets of the roll-ups: one pass over rows as they come."""

from typing import Any, Final

import numpy as np
from numba import njit

from cloud.telemetry.fresh import MISSING, QUALITY
from cloud.telemetry.influx.lines import BAD, EXPONENT, SINGLE, TRUTH
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
from models.life.compiled import kept

NEVER: Final = -(2**63)
MINUTES, HOURS = 0, 1


@njit(nogil=True)
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
) -> None:
    """Add rows of one signal to open bucket `s`; they are of one minute, in any order."""
    stated = len(states) > 0
    worst, count = ints[WORST, s], ints[COUNT, s]
    first_ns, last_ns = ints[FIRST_NS, s], ints[LAST_NS, s]
    min_ns, max_ns = ints[MIN_NS, s], ints[MAX_NS, s]
    first, last = floats[FIRST, s], floats[LAST, s]
    low, high = floats[MIN, s], floats[MAX, s]
    total, rest = floats[SUM, s], lost[s]
    for r in range(begin, end):
        state: Any = np.int64(states[r]) if stated else 0
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


@njit(nogil=True)
def _take_ordered(  # noqa: PLR0917 (a kernel)
    ints: Any,
    floats: Any,
    lost: Any,
    s: int,
    begin: int,
    end: int,
    times: Any,
    cells: Any,
    doubles: Any,
) -> bool:
    """Do what `_take` does where rows are all good, in order, and not older than what is there.

    Returns False, with nothing done, where they are not.
    """
    fresh = ints[COUNT, s] == 0
    if not fresh and times[begin] < ints[LAST_NS, s]:
        return False
    endless = False
    for r in range(begin, end):
        endless |= cells[r] & EXPONENT == EXPONENT
    if endless:
        return False
    if fresh:
        ints[FIRST_NS, s] = ints[MIN_NS, s] = ints[MAX_NS, s] = times[begin]
        floats[FIRST, s] = floats[MIN, s] = floats[MAX, s] = doubles[begin]
    low, high = floats[MIN, s], floats[MAX, s]
    total, rest = floats[SUM, s], lost[s]
    for r in range(begin, end):
        value = doubles[r]
        low = value if value < low else low
        high = value if value > high else high
        total, rest = add(total, rest, value)
    floats[SUM, s], lost[s] = total, rest
    if low < floats[MIN, s]:
        floats[MIN, s] = low
        ints[MIN_NS, s] = times[_where(doubles, begin, low)]
    if high > floats[MAX, s]:
        floats[MAX, s] = high
        ints[MAX_NS, s] = times[_where(doubles, begin, high)]
    ints[COUNT, s] += end - begin
    ints[LAST_NS, s] = times[end - 1]
    floats[LAST, s] = doubles[end - 1]
    return True


@njit(nogil=True)
def _where(doubles: Any, begin: int, value: float) -> int:
    """Return where a value that is there stands first."""
    while doubles[begin] != value:
        begin += 1
    return begin


@njit(nogil=True)
def _clear(ints: Any, floats: Any, lost: Any, s: int) -> None:
    for i in range(7):
        ints[i, s] = 0
    for i in range(5):
        floats[i, s] = 0.0
    lost[s] = 0.0


@njit(nogil=True)
def _emit(  # noqa: PLR0917 (a kernel)
    ints: Any, floats: Any, lost: Any, s: int, start: int, out: Any, values: Any, at: int
) -> None:
    for i in range(7):
        out[i, at] = ints[i, s]
    for i in range(5):
        values[i, at] = floats[i, s]
    values[SUM, at] += lost[s]
    out[START, at] = start


@njit(nogil=True)
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
@njit(nogil=True)
def advance(  # noqa: PLR0917 (a kernel: one pass, arrays in and out)
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
) -> tuple[int, int]:
    """Take rows from `begin` on; return the first row not taken, and how many buckets closed."""
    at = 0
    stated = states.shape[0] > 0
    good = np.zeros(0, np.uint8)
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
        for j in range(cells.shape[0]):
            s, mine, my_doubles = columns[owner, j], cells[j], doubles[j]
            if (
                ordered
                and kinds[j] <= SINGLE
                and _take_ordered(
                    minute_ints, minute_floats, minute_lost, s, r, end, times, mine, my_doubles
                )
            ):
                continue
            _take(
                minute_ints,
                minute_floats,
                minute_lost,
                s,
                r,
                end,
                times,
                kinds[j],
                mine,
                my_doubles,
                states[j] if stated else good,
            )
        r = end
    return len(times), at
