"""Onset alarms and the early state of whole blocks, signal after signal, compiled.

A pass of its own before `models.fleet.kernel.run`: it owns its state, reads none of the kernel's
and gives it one number a reading and two bits a row. So a signal's state stays in the cache for a
whole block, and what the layers cost can be measured alone. `models.fleet.onset` is one reading.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.early import stay
from models.fleet.gaps import plain
from models.fleet.layout import (
    ABSURD,
    BEYOND,
    CONDITION,
    FALSE_START,
    MARKED,
    ONSET_ALARM,
    STAYS,
)
from models.fleet.onset import SEASONS, falsely_begun, surprise, tamed
from models.fleet.settled import take
from models.fleet.vectors import LANES
from models.fleet.watched import rooms
from models.life.compiled import entry, lean, part

DAY_NS = 86_400 * 10**9
SLOT_NS = DAY_NS // SEASONS
FEW = 4  #: rows that are taken side by side, and one by one until that is tried again


@lean
def _clock(m: Any, t: int, rules: Any) -> None:
    """Move a machine's clock to a row: part of the day, day, and whether a long gap ended."""
    if m.watched == 0:
        m.begin_ns = t
        m.slot_end_ns = t
    else:
        seconds = (t - m.watch_ns) * 1e-9
        usual = m.usual_s
        if usual > 0.0 and seconds > max(rules.gap_rows * usual, rules.gap_s):
            m.session += 1
        if usual == 0.0:
            m.usual_s = seconds
        elif seconds > 0.0:
            m.usual_s = usual + (min(max(seconds, 0.25 * usual), 4.0 * usual) - usual) / 16.0
    m.watch_ns = t
    m.watched += 1
    if t >= m.slot_end_ns:
        age = t - m.begin_ns
        m.day = age // DAY_NS
        m.slot = (age - m.day * DAY_NS) // SLOT_NS
        m.slot_end_ns = m.begin_ns + m.day * DAY_NS + (m.slot + 1) * SLOT_NS


@lean
def _signal(
    o: Any,
    clock: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    flags: NDArray[np.uint8],
    first: int,
    row: int,
    rows: tuple[int, int],
    early_days: int,
    rules: Any,
) -> None:
    """Take a signal's readings one by one: evidence into `odds`, the early state into `flags`.

    Among the first ones those that are not to be learned are marked in `odds`, their rows too.
    """
    for r in range(rows[0], rows[1]):
        day = clock[r, 1]
        if day >= 0:
            x = cells[first + r] + 0.0  # no negative zero
            if np.isfinite(x):
                marked = 0.0
                if o.session != clock[r, 2]:
                    o.session = clock[r, 2]
                    o.since = 0.0
                began = falsely_begun(o, x, rules)
                tame = tamed(o, x, rules)
                if began or (tame != x and o.rows < rules.onset_rows):
                    marked = FALSE_START if began else ABSURD
                    flags[row + r] |= MARKED
                evidence = surprise(o, clock[r, 0], day, x, tame, rules)
                if day < early_days:
                    evidence *= min(stay(o, x, tame, rules), 1.0) * (1.0 / rules.early_even)
                else:
                    o.early = 0
                odds[first + r] = evidence if marked == 0.0 else marked
        if o.early == 1:
            flags[row + r] |= STAYS


@part
def _signals(
    onsets: Any,
    lanes: Any,
    rules: Any,
    item: Any,
    layout: NDArray[np.int32],
    clock: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    flags: NDArray[np.uint8],
    strongest: NDArray[np.float64],
    room: Any,
) -> None:
    """Take a block's signals, four at a time; note the strongest evidence of each row."""
    early_days = int(rules.reference_span_s / 86_400.0)
    which, offset = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    count = 0
    end = item.first_column + 2 * item.columns
    for j in range(item.first_column, end, 2):
        if lanes[layout[j]].role == CONDITION:
            which[count:] = lanes[layout[j]].onset
            offset[count:] = item.first_cell + layout[j + 1] * item.rows
            count += 1
        if count < LANES and (count == 0 or j + 2 < end):
            continue
        r = 0
        while r < item.rows:
            took = 0
            if item.rows - r >= FEW:
                took = take(
                    onsets, which, offset, count, clock, r, early_days, cells, odds, room, rules
                )
            r += took
            if took > 0:
                continue
            rows = r, min(r + FEW, item.rows)
            for i in range(count):
                o, first = onsets[which[i]], offset[i]
                _signal(
                    o, clock, cells, odds, flags, first, item.first_row, rows, early_days, rules
                )
            r = rows[1]
        for i in range(count):
            for r in range(item.rows):
                strongest[r] = max(strongest[r], odds[offset[i] + r])
        count = 0


@part
def _block(
    onsets: Any,
    lanes: Any,
    m: Any,
    rules: Any,
    item: Any,
    layout: NDArray[np.int32],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    strengths: NDArray[np.float64],
    flags: NDArray[np.uint8],
    room: Any,
) -> None:
    """Watch one block. Late rows (before the machine's newest) are left out."""
    rows = item.rows
    clock = np.empty((rows, 4), np.int64)
    for r in range(rows):
        t = times[item.first_row + r]
        clock[r, 1] = -1
        if m.watched == 0 or t >= m.watch_ns:
            _clock(m, t, rules)
            clock[r, 0], clock[r, 1], clock[r, 2] = m.slot, m.day, m.session
        clock[r, 3] = m.watched
    strongest, inverse = np.zeros(rows), np.zeros(rows)
    _signals(onsets, lanes, rules, item, layout, clock, cells, odds, flags, strongest, room)
    for r in range(rows):
        if strongest[r] == 0.0:
            continue
        n = clock[r, 3]
        limit = rules.onset_limit
        if n > 1000:
            limit += rules.onset_growth * math.log(n * 1e-3)
        inverse[r] = 1.0 / limit
        ratio = strongest[r] / limit
        strengths[item.first_row + r] = ratio
        quiet = max(rules.onset_pause, rules.onset_pause_share * n)
        if ratio >= 1.0:
            if m.beyond_row == 0 or n - m.beyond_row > rules.onset_pause:
                flags[item.first_row + r] |= BEYOND
            m.beyond_row = n
        if ratio >= 1.0 and (m.alarm_row == 0 or n - m.alarm_row > quiet):
            m.alarm_row = n
            flags[item.first_row + r] |= ONSET_ALARM
    for j in range(item.first_column + 1, item.first_column + 2 * item.columns, 2):
        first = item.first_cell + layout[j] * rows
        for r in range(rows):
            ratio = odds[first + r] * inverse[r]
            odds[first + r] = ratio * ratio if odds[first + r] >= 0.0 else odds[first + r]


@entry
def watch(
    onsets: NDArray[Any],
    lanes: NDArray[Any],
    machines: NDArray[Any],
    constants: NDArray[Any],
    items: NDArray[Any],
    layout: NDArray[np.int32],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    strengths: NDArray[np.float64],
    flags: NDArray[np.uint8],
) -> None:
    """Watch all items. Out: `odds` of each cell, `strengths` (1 = at the limit) and `flags`.

    All three must come in as zeros. `strengths` and `flags` are one a row. First readings that
    cannot be are taken out of `cells`, for all that come after.
    """
    rules = constants[0]
    plain(cells)
    room = rooms()
    for i in range(items.shape[0]):
        item = items[i]
        if item.machine >= 0:
            m = machines[item.machine]
            _block(
                onsets,
                lanes,
                m,
                rules,
                item,
                layout,
                times,
                cells,
                odds,
                strengths,
                flags,
                room,
            )
