"""Rows in which nothing happens, all signals of a machine at once, compiled to vector code.

Nearly every row of nearly every machine is like that. `quiet` copies the state of a block's signals
into a table (field, signal), takes rows with the same arithmetic in the same order as the general
path (`kernel`, `checks`, `reference`), and stops before the first row that could change more than
numbers: a limit, a vote, a shift, a gap, a report that is due. That row is taken the general way.
Both ways give the same bits: the tests compare blocks with single rows, which never come here.
"""

# ruff: noqa: PLR0912, PLR0915, PLR0917  one compiled loop; a call in it would end the vector code

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.history import remember
from models.fleet.layout import (
    BEYOND,
    CONDITION,
    CONTEXT,
    CONTEXTS,
    DETECTOR,
    NEVER,
    ONSET_ALARM,
    REGISTERS,
)
from models.life.compiled import part

WIDTH = 16  #: signals in a table: vectors need a fixed width
SMALLEST = 8  #: rows for which filling the table pays

# rows of the table: what changes, the same after the row in hand, the row itself, what stays
LAST, INTERVAL, STEP, FAST, LEVEL, SPREAD, RISE, FALL, BAD, EXPECTED, ODDS = range(11)
NEW = 11
X = 2 * NEW
RATE, HIGH, LOW, CLIP, STRANGE, SHARE, QUICK, SCORED = range(X + 1, X + 9)
MEAN, SLACK, TOP, GAIN, MOST, UP, DOWN, SIGMA = range(X + 9, X + 17)
GOAL_HIGH, GOAL_LOW, SEEN, ODD = range(X + 17, X + 21)
SLOPE = X + 21
CENTRE = SLOPE + CONTEXTS
C_LOW = CENTRE + CONTEXTS
C_HIGH = C_LOW + CONTEXTS
FIELDS = C_HIGH + CONTEXTS


@part
def _calm(lane: Any, item: Any, contexts: int, share: float) -> bool:
    """Whether a signal is in a state that the table can hold."""
    calm = lane.active == 0 and lane.changed == 0
    calm = calm and lane.rows * share >= 1.0 and lane.interval_s > 0.0 and lane.step < np.inf
    calm = calm and lane.received_ns >= item.at_ns and lane.role != DETECTOR
    for i in range(REGISTERS):
        calm = calm and lane.register[i] == 0
    if lane.role == CONDITION:
        calm = calm and lane.frozen == 1 and lane.sigma > 0.0 and lane.learned * share >= 1.0
        for i in range(contexts):
            calm = calm and not np.isnan(lane.c_mean[i])
    if lane.role != CONDITION or lane.wears == 0:
        calm = calm and lane.bad == 0.0
    return bool(calm)


@part
def _fill(s: Any, j: int, lane: Any, contexts: int, rules: Any) -> None:
    """Copy a signal's state into column j."""
    s[LAST, j], s[INTERVAL, j], s[STEP, j] = lane.last, lane.interval_s, lane.step
    s[FAST, j], s[LEVEL, j], s[SPREAD, j] = lane.fast, lane.level, lane.spread
    s[RISE, j], s[FALL, j], s[BAD, j], s[EXPECTED, j] = (
        lane.rise,
        lane.fall,
        lane.bad,
        lane.expected,
    )
    s[NEW + BAD, j] = lane.bad
    s[RATE, j] = lane.rate
    s[HIGH, j] = min(lane.alert_high, lane.alarm_high)
    s[LOW, j] = max(lane.alert_low, lane.alarm_low)
    s[MEAN, j], s[SIGMA, j], s[SLACK, j], s[TOP, j] = lane.mean, lane.sigma, lane.slack, lane.top
    s[GAIN, j], s[MOST, j], s[SEEN, j] = lane.gain, lane.most, lane.bad_seen
    scored = lane.role == CONDITION
    s[CLIP, j] = rules.clip if scored else np.inf
    s[STRANGE, j] = rules.suspicious if scored else np.inf
    s[SCORED, j] = 1.0 if scored else 0.0
    learns = scored or lane.role == CONTEXT
    s[SHARE, j] = rules.level_share if learns else 0.0
    s[QUICK, j] = rules.fast_share if learns else 0.0
    s[UP, j] = 1.0 if lane.shifts == 1 and lane.up == 1 else 0.0
    s[DOWN, j] = 1.0 if lane.shifts == 1 and lane.down == 1 else 0.0
    high, low = lane.goal_high - lane.mean, lane.mean - lane.goal_low
    s[GOAL_HIGH, j] = high if lane.wears == 1 and scored and high > 0.0 else np.inf
    s[GOAL_LOW, j] = low if lane.wears == 1 and scored and low > 0.0 else np.inf
    for i in range(CONTEXTS):
        known = scored and i < contexts
        wide = 0.25 * (lane.c_high[i] - lane.c_low[i]) if known else 0.0
        s[SLOPE + i, j] = lane.slope[i] if known else 0.0
        s[CENTRE + i, j] = lane.c_mean[i] if known else 0.0
        s[C_LOW + i, j] = lane.c_low[i] - wide if wide > 0.0 else -np.inf
        s[C_HIGH + i, j] = lane.c_high[i] + wide if wide > 0.0 else np.inf


@part
def _pad(s: Any, first: int) -> None:
    """Fill the columns that no signal uses with one that stands still."""
    for j in range(first, WIDTH):
        s[INTERVAL, j] = s[STEP, j] = s[SPREAD, j] = 1.0
        s[RATE, j] = s[HIGH, j] = s[CLIP, j] = s[STRANGE, j] = np.inf
        s[GOAL_HIGH, j] = s[GOAL_LOW, j] = np.inf
        s[LOW, j] = -np.inf
        for i in range(CONTEXTS):
            s[C_LOW + i, j], s[C_HIGH + i, j] = -np.inf, np.inf


@part
def quiet(
    lanes: Any,
    m: Any,
    histories: Any,
    rules: Any,
    item: Any,
    layout: NDArray[np.int64],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    odds_of: NDArray[np.float64],
    flags: NDArray[np.uint8],
    scores: NDArray[np.float64],
    start: int,
) -> int:
    """Take rows from `start` while they are quiet; return the first that was not taken.

    `m.flags` is set when the last row taken asks for an estimate.
    """
    columns, rows, contexts = item.columns, item.rows, m.contexts
    if columns > WIDTH or rows - start < SMALLEST or m.flags != 0:
        return start
    first, begin = item.first_cell, item.first_column
    last_ns = lanes[layout[begin]].last_ns
    pasts = wears = 0
    for i in range(contexts):
        if np.isnan(m.context[i]):
            return start
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        if lane.last_ns != last_ns or not _calm(lane, item, contexts, rules.level_share):
            return start
        pasts += lane.history >= 0
        wears += lane.wears
    s = np.zeros((FIELDS, WIDTH))
    same = np.zeros(WIDTH, np.int64)
    stuck = np.full(WIDTH, NEVER)
    slot = np.full(WIDTH, -1)
    offset = np.zeros(WIDTH, np.int64)
    context = np.zeros(CONTEXTS)
    for i in range(contexts):
        context[i] = m.context[i]
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        _fill(s, j, lane, contexts, rules)
        same[j] = lane.same_ns
        stuck[j] = lane.stuck_ns
        offset[j] = first + layout[begin + 2 * j + 1] * rows
        if lane.role == CONTEXT:
            slot[j] = lane.slot
    _pad(s, columns)
    cap, on = 2.0 * rules.shift_on, rules.shift_on
    inverse = 1.0 / on
    at, score, r = m.at_ns, m.score, start
    while r < rows:
        t = times[item.first_row + r]
        now = max(at, t)
        if t <= last_ns or now >= m.report_ns or (m.data_clock == 1 and now > m.due_ns):
            break
        if flags[item.first_row + r] & (ONSET_ALARM | BEYOND):
            break
        seconds = (t - last_ns) * 1e-9
        for j in range(columns):
            s[X, j] = cells[offset[j] + r] + 0.0
            s[ODD, j] = odds_of[offset[j] + r]
        if contexts > 0:
            for j in range(columns):
                if slot[j] >= 0:
                    context[slot[j]] = s[X, j]
        for j in range(WIDTH):
            s[NEW + EXPECTED, j] = s[MEAN, j]
        outside = 0
        for i in range(contexts):
            c = context[i]
            for j in range(WIDTH):
                s[NEW + EXPECTED, j] += s[SLOPE + i, j] * (c - s[CENTRE + i, j])
                outside += (c > s[C_HIGH + i, j]) | (c < s[C_LOW + i, j])
        eventful = 0
        for j in range(WIDTH):
            x = s[X, j]
            d = abs(x - s[LAST, j])
            usual = s[INTERVAL, j]
            s[NEW + INTERVAL, j] = (
                usual + (min(max(seconds, 0.25 * usual), 4.0 * usual) - usual) / 16.0
            )
            step = s[STEP, j]
            step = d if (d > 0.0) & (d < step) else step
            s[NEW + STEP, j] = step
            level, spread = s[LEVEL, j], s[SPREAD, j]
            sigma = max(1.2533 * spread, 0.5 * step, 1e-12 * abs(level))
            fast = s[FAST, j] + s[QUICK, j] * (x - s[FAST, j])
            s[NEW + FAST, j] = fast
            r_level = x - level
            top = s[CLIP, j] * sigma
            out = (
                (not np.isfinite(x))
                | (d > s[RATE, j] * seconds)
                | (x >= s[HIGH, j])
                | (x <= s[LOW, j])
                | (abs(r_level) > s[STRANGE, j] * sigma)
            )
            r_level = min(max(r_level, -top), top)
            s[NEW + LEVEL, j] = level + s[SHARE, j] * r_level
            s[NEW + SPREAD, j] = spread + s[SHARE, j] * (abs(r_level) - spread)
            residual = min(max(x - s[NEW + EXPECTED, j], -s[TOP, j]), s[TOP, j])
            weight = min(seconds * s[GAIN, j], s[MOST, j])
            rise = min(cap, max(0.0, s[RISE, j] + weight * (residual - s[SLACK, j])))
            fall = min(cap, max(0.0, s[FALL, j] - weight * (residual + s[SLACK, j])))
            s[NEW + RISE, j], s[NEW + FALL, j] = rise, fall
            g = max(rise * s[UP, j], fall * s[DOWN, j])
            q = g * inverse
            s[NEW + ODDS, j] = (s[ODD, j] + q * q) * s[SCORED, j]
            eventful += out | (g >= on)
        for j in range(WIDTH):
            eventful += (s[X, j] == s[LAST, j]) & (t - same[j] >= stuck[j])
        if wears > 0:
            for j in range(WIDTH):
                fast, mean, sigma = s[NEW + FAST, j], s[MEAN, j], s[SIGMA, j]
                way = max(
                    (fast - mean - sigma) / s[GOAL_HIGH, j], (mean - fast - sigma) / s[GOAL_LOW, j]
                )
                way = min(max(way, 0.0), 1.0)
                bad = 0.5 * way * way
                s[NEW + BAD, j] = bad
                eventful += abs(bad - s[SEEN, j]) > 0.02
        if outside + eventful > 0:
            break
        for j in range(WIDTH):
            same[j] = t if s[X, j] != s[LAST, j] else same[j]
            s[LAST, j] = s[X, j]
        for field in range(INTERVAL, NEW):
            for j in range(WIDTH):
                s[field, j] = s[NEW + field, j]
        total = 0.0
        for j in range(columns):
            total += s[ODDS, j]
        score = total / (1.0 + total)
        scores[item.first_row + r] = score
        at, last_ns = now, t
        r += 1
        if pasts > 0:
            for j in range(columns):
                lane = lanes[layout[begin + 2 * j]]
                if lane.history >= 0:
                    remember(histories[lane.history], lane, m, t, s[X, j], rules)
            if m.flags != 0:
                break
    if r == start:
        return start
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        lane.last, lane.interval_s, lane.step = s[LAST, j], s[INTERVAL, j], s[STEP, j]
        lane.fast, lane.level, lane.spread = s[FAST, j], s[LEVEL, j], s[SPREAD, j]
        lane.odds, lane.last_ns, lane.same_ns = s[ODDS, j], last_ns, same[j]
        lane.rows += r - start
        if lane.role == CONDITION:
            lane.rise, lane.fall, lane.bad = s[RISE, j], s[FALL, j], s[BAD, j]
            lane.expected = s[EXPECTED, j] if contexts > 0 else lane.expected
        if slot[j] >= 0:
            m.context[slot[j]] = s[LAST, j]
    m.rows += r - start
    m.at_ns, m.n, m.score = at, item.n, score
    return r
