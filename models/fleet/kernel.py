"""Rows in, state forward: the compiled core. Everything is decided row by row.

So the stream may be cut anywhere: one row at a time or a million give the same bits. `run` stops at
each row that has something to tell; the caller reads the state and lets it go on. Only element-wise
IEEE operations and square roots enter the state.
"""
# ruff: noqa: PLR0912, PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.abreast import rooms
from models.fleet.checks import (
    ALARM_BITS,
    ALERT_BITS,
    LIMIT_BITS,
    SENSOR_BITS,
    follow,
    known,
    limits,
    notice,
    set_condition,
    timing,
    wear,
)
from models.fleet.dropout import dropouts
from models.fleet.estimate import estimate
from models.fleet.history import remember
from models.fleet.layout import (
    AGAIN,
    ALARM,
    ALERT,
    CHANGED,
    CONDITION,
    CONTEXT,
    DETECTOR,
    DROPOUT,
    ESTIMATE,
    FALSE_START,
    FAULTY,
    LEARNING,
    MOVED,
    NORMAL,
    SHIFT,
    SILENT,
    UNKNOWN,
)
from models.fleet.pairs import pair_up
from models.fleet.quiet import quiet
from models.fleet.reference import begin_again, compare, expect
from models.fleet.renewal import Lines
from models.fleet.vectors import LANES
from models.life.compiled import entry, lean, part

PATIENCE = 16  #: rows until quiet ones are looked for again
AT_ONCE = 128  #: silent machines told of at one tick
BAD_BITS = LIMIT_BITS | (1 << SHIFT)
LASTING_BITS = (1 << SHIFT) | (1 << AGAIN)


@lean
def _row(
    lane: Any,
    bound: Any,
    ref: Any,
    terms: Any,
    m: Any,
    t: int,
    heard: int,
    x: float,
    strange: float,
    flags: int,
    rules: Any,
    rest: Any,
) -> bool:
    """Take one reading of one signal; False when it has no part in the score (late, shadow).

    `strange`: odds of the watch for this reading, or its mark; `flags`: the watch's bits; `rest`
    (1,): what the contexts left of it, where the pairs are to learn it.
    """
    seconds = 0.0
    if lane.rows == 0:
        lane.same_ns = lane.group_ns = t
        lane.received_ns = lane.heard_ns = heard
        lane.level = x
        lane.fast = x
        m.due_ns = 0
        m.flags |= MOVED
    elif t < lane.last_ns:
        return False
    else:
        seconds = (t - lane.last_ns) * 1e-9
        timing(lane, bound, t, heard, x, seconds)
    if bound.limited == 1:
        limits(lane, bound, x)
    if lane.active & (1 << DROPOUT):
        set_condition(lane, DROPOUT, False)
        m.due_ns = 0  # it may fall silent again
    if lane.notice > 0:
        lane.notice -= 1
    odds = 0.0
    if lane.role == CONDITION:
        notice(lane, t, strange, flags, rules)
        if strange == FALSE_START:
            begin_again(lane, ref, terms, rules)
        if lane.active & SENSOR_BITS:
            expect(lane, terms, m)  # the sensor is not to be trusted: nothing to score or learn
        else:
            odds = max(strange, 0.0)
            odds += compare(lane, bound, ref, terms, m, t, x, seconds, strange, rules, rest)
    elif lane.role == CONTEXT:
        leapt = follow(lane, x, rules)
        if lane.slot >= 0:
            m.context[lane.slot] = np.nan if leapt or lane.active & SENSOR_BITS else x
    elif lane.role == DETECTOR:
        odds = min(x, 0.999999)
        odds /= 1.0 - odds
    if lane.active & LIMIT_BITS and lane.role != DETECTOR:
        odds += 32.0 if lane.active & ALARM_BITS else 4.0
    lane.odds = odds
    lane.last = x
    lane.last_ns = t
    lane.rows += 1
    if lane.changed != 0:
        m.flags |= CHANGED
    if lane.role == DETECTOR:
        return False
    if lane.wears == 1 or lane.active & BAD_BITS or lane.bad > 0.0:
        lane.bad = wear(lane, bound)
        if abs(lane.bad - lane.bad_seen) > 0.02:
            m.flags |= MOVED
    return True


@lean
def _judge(lanes: Any, m: Any, rules: Any) -> None:
    """Sum up a machine from its signals: state, health, coverage. Health moves in steps."""
    active, heard, dropped, conditions, armed = 0, 0, 0, 0, 0
    asked, covered, left, worst = 0, 0.0, 1.0, 0.0
    i = m.first
    while i >= 0:
        lane = lanes[i]
        i = lane.next
        if lane.role == DETECTOR or (lane.expected_lane == 0 and lane.rows == 0):
            continue
        asked += 1
        lane.bad_seen = lane.bad
        if lane.rows == 0:
            continue
        heard += 1
        if lane.active & (1 << DROPOUT):
            dropped += 1
            continue
        active |= lane.active
        left *= 1.0 - lane.bad
        worst = max(worst, lane.bad)
        if lane.role == CONDITION:
            conditions += 1
            armed += lane.armed
        covered += known(lane, rules)
    m.coverage = covered / asked if asked > 0 else 0.0
    health = 100.0 * (1.0 - worst) * (0.8 + 0.2 * left)  # one fault shows on several signals
    if abs(health - m.health) >= rules.health_step or left == 1.0:
        m.health = health
    if heard == 0:
        m.state = UNKNOWN
    elif dropped == heard:
        m.state = SILENT
    elif active & ALARM_BITS:
        m.state = ALARM
    elif active & (ALERT_BITS | SENSOR_BITS | LASTING_BITS) or dropped > 0:
        m.state = ALERT
    elif conditions > 0 and 2 * armed < conditions:
        m.state = LEARNING
    else:
        m.state = NORMAL


@lean
def _tell(lanes: Any, m: Any, histories: Any, lines: Lines, first: int, rules: Any) -> bool:
    """Decide whether this row of a machine has something to tell; estimate its lives if asked to.

    `first`: the first of its lives. ESTIMATE stays set when a trend asks for Python.
    """
    flags = m.flags
    period = m.at_ns >= m.report_ns
    if flags == 0 and not period:
        return False
    m.flags = asks = 0
    if flags & ESTIMATE:
        told, asks = estimate(first, lines, lanes, histories, rules.life_told)
        flags |= told * CHANGED
    _judge(lanes, m, rules)
    moved = m.state != m.told_state or abs(m.health - m.told_health) >= rules.health_told
    if flags & CHANGED or moved or period:
        m.flags = CHANGED | (asks * ESTIMATE)
        return True
    m.flags = asks * ESTIMATE
    return bool(asks != 0)


@lean
def _silent_machine(
    lanes: Any,
    bounds: Any,
    machines: Any,
    histories: Any,
    lines: Lines,
    rules: Any,
    item: Any,
    cursor: NDArray[np.int64],
) -> int:
    """Let a tick pass over the machines on the wall clock, from the cursor on.

    When a whole site falls silent, each machine takes a while to be told of and to be filed: more
    than `AT_ONCE` of them wait for the next ticks, and the readings of the others do not. While the
    service was stopped nobody listened: that time counts neither as silence nor as sleep.
    """
    if item.first_column > 0 and cursor[1] == 0:
        for i in range(lanes.shape[0]):
            heard = lanes[i].received_ns
            if 0 < heard < item.at_ns:
                lanes[i].received_ns = min(heard + item.first_column, item.at_ns)
    for k in range(cursor[1], machines.shape[0] if cursor[2] < AT_ONCE else 0):
        m = machines[k]
        if m.data_clock == 1 or item.at_ns <= m.due_ns:
            continue
        dropouts(lanes, bounds, m, item.at_ns, rules)
        if m.flags != 0:
            m.at_ns = max(m.at_ns, item.at_ns)
            m.n = item.n
            if _tell(lanes, m, histories, lines, lines.first[k], rules):
                cursor[1] = k + 1
                cursor[2] += 1
                return k
    return -1


@part
def _telling_row(
    lanes: Any,
    bounds: Any,
    references: Any,
    terms: Any,
    m: Any,
    histories: Any,
    lines: Lines,
    rules: Any,
    item: Any,
    layout: NDArray[np.int32],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds_of: NDArray[np.float64],
    flags: NDArray[np.uint8],
    scores: NDArray[np.float64],
    start: int,
    room: Any,
) -> int:
    """Take a block's rows from `start` on; return the first that tells something, or -1."""
    begin, end, rows = item.first_column, item.first_column + 2 * item.columns, item.rows
    life = lines.first[item.machine]
    r = start
    sums = np.zeros(LANES)  # of the odds, every fourth together, as `quiet` sums
    rests, rest = room[-2], room[-1]
    calm = start
    while r < rows:
        if r >= calm:
            taken = r
            r = quiet(
                lanes, bounds, references, terms, m, histories, rules, item, layout, times, cells,
                odds_of, flags, scores, r, room,
            )  # fmt: skip
            calm = r + (1 if r > taken else PATIENCE)
            if m.flags != 0 and _tell(lanes, m, histories, lines, life, rules):
                return r - 1
            if r > taken:
                continue
        t = times[item.first_row + r]
        sums[:] = 0.0
        faulty, learned = False, 0
        found = int(flags[item.first_row + r])
        first = item.first_cell + r
        for j in range(begin, end, 2):
            lane = lanes[layout[j]]
            bound = bounds[lane.bound]
            ref = references[lane.onset]  # -1: the last one, which is not read
            cell = first + layout[j + 1] * rows
            x = cells[cell] + 0.0  # no negative zero
            rest[0] = np.nan
            if np.isfinite(x) and _row(
                lane, bound, ref, terms, m, t, item.at_ns, x, odds_of[cell], found, rules, rest
            ):
                sums[(j - begin) // 2 % LANES] += lane.odds
                if lane.history >= 0:
                    remember(histories[lane.history], lane, m, t, x, rules)
            faulty = faulty or lane.active & (1 << SHIFT) != 0
            rests[(j - begin) // 2] = rest[0]
            learned += not np.isnan(rest[0])
        if learned > 1:
            pair_up(rests, lanes, references, layout, begin, end)
        if faulty:
            flags[item.first_row + r] |= FAULTY
        odds = (sums[0] + sums[1]) + (sums[2] + sums[3])
        m.score = odds / (1.0 + odds)
        scores[item.first_row + r] = m.score
        m.rows += 1
        m.at_ns = max(m.at_ns, t)
        m.n = item.n
        if m.data_clock == 1 and m.at_ns > m.due_ns:
            dropouts(lanes, bounds, m, m.at_ns, rules)
        if _tell(lanes, m, histories, lines, life, rules):
            return r
        r += 1
    return -1


@entry
def run(
    state: Any, lives: Any, readings: Any, found: Any, cursor: NDArray[np.int64], widest: int
) -> int:
    """Go on from the cursor (item, row, silent ones told) to the next row that tells something.

    Returns the machine's number, or -1 when all items are done. Arrays come in tuples, which cost a
    call from Python least: `state` are lanes, bounds, references, terms, machines, histories and
    constants; `lives` those of `Lines`; `readings` items, layout, times and cells; `found` odds,
    flags and scores.

    `cells` holds an item's columns one after the other; `layout` its lane numbers, contexts first,
    and the column of each. Odds (one a cell) and flags (one a row) are the watch's
    (`models.fleet.watch`); flags get the bit of rows in a lasting shift. `widest`: most columns of
    an item.
    """
    lanes, bounds, references, terms, machines, histories, constants = state
    items, layout, times, cells = readings
    odds_of, flags, scores = found
    lines = Lines(*lives)
    rules, room = constants[0], rooms(widest)
    while cursor[0] < items.shape[0]:
        item = items[cursor[0]]
        if item.machine < 0:
            silent = _silent_machine(lanes, bounds, machines, histories, lines, rules, item, cursor)
            if silent >= 0:
                return silent
        else:
            m = machines[item.machine]
            row = _telling_row(
                lanes,
                bounds,
                references,
                terms,
                m,
                histories,
                lines,
                rules,
                item,
                layout,
                times,
                cells,
                odds_of,
                flags,
                scores,
                cursor[1],
                room,
            )
            if row >= 0:
                cursor[1] = row + 1
                return int(item.machine)
        cursor[0] += 1
        cursor[1:] = 0
    return -1
