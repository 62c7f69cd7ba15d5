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
from models.fleet.vectors import WIDE as LANES
from models.fleet.vectors import choose, larger, store
from models.fleet.vectors import load_wide as load
from models.fleet.watched import alone, rooms
from models.life.compiled import entry, lean

DAY_NS = 86_400 * 10**9
SLOT_NS = DAY_NS // SEASONS
FEW = 4  #: rows that are taken side by side, and one by one until that is tried again
YOUNG = 512  #: rows of a machine whose signals have not settled yet


@lean
def _clock(m: Any, times: Any, clock: Any, rules: Any) -> None:
    """Move a machine's clock over the rows of a block, and note it of each.

    `clock` (rows, 5): part of the day, day, long gaps so far, rows watched, and rows from this one
    on for which the first three stay the same. Late rows have day -1.
    """
    begin, newest, end, usual = m.begin_ns, m.watch_ns, m.slot_end_ns, m.usual_s
    watched, session, day, slot = m.watched, int(m.session), m.day, int(m.slot)
    for r in range(len(times)):
        t = times[r]
        clock[r, 1] = -1
        if watched == 0 or t >= newest:
            if watched == 0:
                begin = end = t
            else:
                seconds = (t - newest) * 1e-9
                if usual > 0.0 and seconds > max(rules.gap_rows * usual, rules.gap_s):
                    session += 1
                if usual == 0.0:
                    usual = seconds
                elif seconds > 0.0:
                    usual += (min(max(seconds, 0.25 * usual), 4.0 * usual) - usual) / 16.0
            newest = t
            watched += 1
            if t >= end:
                age = t - begin
                day = age // DAY_NS
                slot = (age - day * DAY_NS) // SLOT_NS
                end = begin + day * DAY_NS + (slot + 1) * SLOT_NS
            clock[r, 0], clock[r, 1], clock[r, 2] = slot, day, session
        clock[r, 3] = watched
    same = 0
    for r in range(len(times) - 1, -1, -1):
        if same > 0 and (
            clock[r, 0] != clock[r + 1, 0]
            or clock[r, 1] != clock[r + 1, 1]
            or clock[r, 2] != clock[r + 1, 2]
        ):
            same = 0
        same += 1
        clock[r, 4] = same
    m.begin_ns, m.watch_ns, m.slot_end_ns, m.usual_s = begin, newest, end, usual
    m.watched, m.session, m.day, m.slot = watched, session, day, slot


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
        day = clock[row + r, 1]
        if day >= 0:
            x = cells[first + r] + 0.0  # no negative zero
            if np.isfinite(x):
                marked = 0.0
                if o.session != clock[row + r, 2]:
                    o.session = clock[row + r, 2]
                    o.since = 0
                began = falsely_begun(o, x, rules)
                tame = tamed(o, x, rules)
                if began or (tame != x and o.rows < rules.onset_rows):
                    marked = FALSE_START if began else ABSURD
                    flags[row + r] |= MARKED
                evidence = surprise(o, clock[row + r, 0], day, x, tame, rules)
                if day < early_days:
                    evidence *= min(stay(o, x, tame, rules), 1.0) * (1.0 / rules.early_even)
                else:
                    o.early = 0
                odds[first + r] = evidence if marked == 0.0 else marked
        if o.early == 1:
            flags[row + r] |= STAYS


@lean
def _group(
    onsets: Any,
    count: int,
    rows: int,
    early_days: int,
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    flags: NDArray[np.uint8],
    room: Any,
    rules: Any,
) -> None:
    """Take up to eight signals through their blocks, which have so many rows: side by side.

    Those that have not settled go to the end one reading at a time; where nobody is to be taken
    side by side, all of them for a few rows.
    """
    table, clock, _, _, which, offset, base, _ = room
    r = 0
    while r < rows and count > 0:
        if rows - r >= FEW:
            for j in range(count, LANES):
                which[j], offset[j], base[j] = which[count - 1], offset[count - 1], base[count - 1]
            took = take(
                onsets, which, offset, base, count, clock, r, rows, early_days, cells, odds, table,
                rules,
            )  # fmt: skip
            r += took
            if took > 0:
                continue
            left = 0
            for j in range(count):
                o, first, row = onsets[which[j]], offset[j], base[j]
                if alone(o, clock, row + r, early_days, rules):
                    _signal(
                        o, clock, cells, odds, flags, first, row, (r, rows), early_days, rules
                    )  # fmt: skip
                    continue
                which[left], offset[left], base[left] = which[j], first, row
                left += 1
            if left < count:
                count = left
                continue
        some = r, min(r + FEW, rows)
        for j in range(count):
            o, first, row = onsets[which[j]], offset[j], base[j]
            _signal(o, clock, cells, odds, flags, first, row, some, early_days, rules)
        r = some[1]


@lean
def _signals(
    onsets: Any,
    lanes: Any,
    rules: Any,
    items: Any,
    layout: NDArray[np.int32],
    cells: NDArray[np.float64],
    odds: NDArray[np.float64],
    flags: NDArray[np.uint8],
    room: Any,
) -> None:
    """Take the signals of all blocks, eight at a time; those of machines alike go together."""
    early_days = int(rules.reference_span_s / 86_400.0)
    _, clock, _, _, which, offset, base, whose = room
    count = rows = kind = 0
    for i in range(items.shape[0]):
        item = items[i]
        if item.machine < 0 or item.rows == 0:
            continue
        day = clock[item.first_row, 1]
        alike = (day > 0) + 2 * (day < early_days) + 4 * (clock[item.first_row, 3] < YOUNG)
        again = item.rows != rows or alike != kind
        for j in range(count):
            again = again or whose[j] == item.machine
        if again:
            _group(onsets, count, rows, early_days, cells, odds, flags, room, rules)
            count, rows, kind = 0, item.rows, alike
        for j in range(item.first_column, item.first_column + 2 * item.columns, 2):
            lane = lanes[layout[j]]
            if lane.role != CONDITION:
                continue
            which[count], base[count], whose[count] = lane.onset, item.first_row, item.machine
            offset[count] = item.first_cell + layout[j + 1] * rows
            count += 1
            if count == LANES:
                _group(onsets, count, rows, early_days, cells, odds, flags, room, rules)
                count = 0
    _group(onsets, count, rows, early_days, cells, odds, flags, room, rules)


@lean
def _strongest(odds: NDArray[np.float64], first: int, rows: int, strongest: Any) -> None:
    """Keep the strongest evidence of each row so far."""
    r = 0
    while r + LANES <= rows:
        store(strongest, r, larger(load(strongest, r), load(odds, first + r)))
        r += LANES
    while r < rows:
        strongest[r] = max(strongest[r], odds[first + r])
        r += 1


@lean
def _weigh(odds: NDArray[np.float64], first: int, rows: int, inverse: Any) -> None:
    """Turn a signal's evidence into odds: its square in units of the limit. Marks stay."""
    r = 0
    while r + LANES <= rows:
        x = load(odds, first + r)
        ratio = x * load(inverse, r)
        store(odds, first + r, choose(x >= 0.0, ratio * ratio, x))
        r += LANES
    while r < rows:
        ratio = odds[first + r] * inverse[r]
        odds[first + r] = ratio * ratio if odds[first + r] >= 0.0 else odds[first + r]
        r += 1


@lean
def _block(
    m: Any,
    rules: Any,
    item: Any,
    odds: NDArray[np.float64],
    strengths: NDArray[np.float64],
    flags: NDArray[np.uint8],
    room: Any,
) -> None:
    """Set the evidence of a block beside the limit, which makes it odds; find onset alarms."""
    rows = item.rows
    clock, strongest, inverse = room[1][item.first_row : item.first_row + rows], room[2], room[3]
    strongest[:rows] = inverse[:rows] = 0.0
    cells = item.first_cell, item.first_cell + item.columns * rows
    for first in range(cells[0], cells[1], rows):
        _strongest(odds, first, rows, strongest)
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
    for first in range(cells[0], cells[1], rows):
        _weigh(odds, first, rows, inverse)


@entry
def watch(state: Any, readings: Any, found: Any) -> None:
    """Watch all items. Out: odds of each cell, strengths (1 = at the limit) and flags of each row.

    `state`: onsets, lanes, machines, constants; `readings`: items, layout, times, cells; `found`:
    odds, strengths, flags, which must come in as zeros. First readings that cannot be are taken out
    of the cells, for all that come after. Late rows (before the machine's newest) are left out.
    """
    onsets, lanes, machines, constants = state
    items, layout, times, cells = readings
    odds, strengths, flags = found
    rules = constants[0]
    plain(cells)
    room = rooms(len(times), items["rows"].max() if len(items) else 0)
    for i in range(items.shape[0]):
        item = items[i]
        if item.machine >= 0:
            rows = item.first_row, item.first_row + item.rows
            clock = room[1][rows[0] : rows[1]]
            _clock(machines[item.machine], times[rows[0] : rows[1]], clock, rules)
    _signals(onsets, lanes, rules, items, layout, cells, odds, flags, room)
    for i in range(items.shape[0]):
        item = items[i]
        if item.machine >= 0 and item.rows > 0:
            _block(machines[item.machine], rules, item, odds, strengths, flags, room)
