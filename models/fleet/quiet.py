"""Rows in which nothing happens, all signals of a machine at once, compiled to vector code.

Nearly every row of nearly every machine is like that. `quiet` copies the state of a block's signals
into tables (field, signal), takes rows with the same arithmetic in the same order as the general
path (`kernel`, `checks`, `reference`), and stops before the first row that could change more than
numbers: a limit, a vote, a shift, a gap, a report that is due. That row is taken the general way.
Both ways give the same bits: the tests compare blocks with single rows, which never come here.

A row is computed from one table into another, and they change places when it was quiet. Tables are
flat and their width is fixed: else the compiler could not tell that fields do not overlap.
"""

# ruff: noqa: PLR0912, PLR0915, PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

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
from models.fleet.pairs import pair_up
from models.life.compiled import part

WIDTH: Final = 16  #: signals in a table: vectors need a fixed width
SMALLEST: Final = 8  #: rows for which filling the tables pays
TILE: Final = 32  #: rows of readings that are laid abreast at a time

# where the fields of the state begin
LAST, INTERVAL, STEP, FAST, LEVEL, SPREAD, RISE, FALL, BAD = range(0, 9 * WIDTH, WIDTH)
EXPECTED, ODDS, MOVED_AT, COUNT, MEAN, PRODUCT = range(9 * WIDTH, 15 * WIDTH, WIDTH)
STATE = 15 * WIDTH
# and those of what stays, with the row in hand
X, STRANGE, RATE, HIGH, LOW, CLIP, SUSPICIOUS, SHARE, QUICK = range(0, 9 * WIDTH, WIDTH)
SCORED, SLACK, TOP, GAIN, MOST, UP, DOWN, SIGMA = range(9 * WIDTH, 17 * WIDTH, WIDTH)
GOAL_HIGH, GOAL_LOW, SEEN, LEARNS, SOLVES, NEAR = range(17 * WIDTH, 23 * WIDTH, WIDTH)
SLOPE = 23 * WIDTH
CENTRE = SLOPE + CONTEXTS * WIDTH
C_LOW = CENTRE + CONTEXTS * WIDTH
C_HIGH = C_LOW + CONTEXTS * WIDTH
FIXED = C_HIGH + CONTEXTS * WIDTH


@part
def _calm(lane: Any, item: Any, contexts: int, share: float) -> bool:
    """Whether a signal is in a state that the tables can hold."""
    calm = lane.active == 0 and lane.changed == 0
    calm = calm and lane.rows * share >= 1.0 and lane.interval_s > 0.0 and lane.step < np.inf
    calm = calm and lane.received_ns >= item.at_ns and lane.role != DETECTOR
    for i in range(REGISTERS):
        calm = calm and lane.register[i] == 0
    if lane.role == CONDITION:
        calm = calm and lane.learned * share >= 1.0
        if lane.frozen == 0:  # still learning: only where no context explains anything
            calm = calm and contexts == 0 and lane.count > 0.0
        if lane.armed == 1:
            calm = calm and lane.sigma > 0.0
        for i in range(contexts):
            calm = calm and not np.isnan(lane.c_mean[i])
    if lane.role != CONDITION or lane.wears == 0:
        calm = calm and lane.bad == 0.0
    return bool(calm)


@part
def _fill(s: Any, k: Any, j: int, lane: Any, contexts: int, rules: Any) -> None:
    """Copy a signal's state into column j of `s`, and what stays into that of `k`."""
    s[LAST + j], s[INTERVAL + j], s[STEP + j] = lane.last, lane.interval_s, lane.step
    s[FAST + j], s[LEVEL + j], s[SPREAD + j] = lane.fast, lane.level, lane.spread
    s[RISE + j], s[FALL + j], s[BAD + j] = lane.rise, lane.fall, lane.bad
    s[EXPECTED + j], s[MOVED_AT + j] = lane.expected, -1.0
    s[COUNT + j], s[MEAN + j], s[PRODUCT + j] = lane.count, lane.mean, lane.sxx
    k[RATE + j] = lane.rate
    k[HIGH + j] = min(lane.alert_high, lane.alarm_high)
    k[LOW + j] = max(lane.alert_low, lane.alarm_low)
    k[SIGMA + j], k[SLACK + j], k[TOP + j] = lane.sigma, lane.slack, lane.top
    k[GAIN + j], k[MOST + j], k[SEEN + j] = lane.gain, lane.most, lane.bad_seen
    scored = lane.role == CONDITION
    k[CLIP + j] = rules.clip if scored else np.inf
    k[SUSPICIOUS + j] = rules.suspicious if scored else np.inf
    k[SCORED + j] = 1.0 if scored else 0.0
    learns = scored or lane.role == CONTEXT
    k[SHARE + j] = rules.level_share if learns else 0.0
    k[QUICK + j] = rules.fast_share if learns else 0.0
    k[UP + j] = 1.0 if lane.shifts == 1 and lane.up == 1 else 0.0
    k[DOWN + j] = 1.0 if lane.shifts == 1 and lane.down == 1 else 0.0
    if not scored or lane.armed == 0:  # nothing to compare with: the sums stand still
        k[GAIN + j] = k[MOST + j] = 0.0
    k[LEARNS + j] = 1.0 if scored and lane.frozen == 0 else 0.0
    k[NEAR + j] = 3.0 * lane.sigma if lane.armed == 1 else np.inf
    k[SOLVES + j] = lane.solve_at if lane.armed == 1 else np.inf
    high, low = lane.goal_high - lane.mean, lane.mean - lane.goal_low
    wears = lane.wears == 1 and scored and lane.armed == 1
    k[GOAL_HIGH + j] = high if wears and high > 0.0 else np.inf
    k[GOAL_LOW + j] = low if wears and low > 0.0 else np.inf
    for i in range(CONTEXTS):
        known = scored and i < contexts
        wide = 0.25 * (lane.c_high[i] - lane.c_low[i]) if known else 0.0
        k[SLOPE + i * WIDTH + j] = lane.slope[i] if known else 0.0
        k[CENTRE + i * WIDTH + j] = lane.c_mean[i] if known else 0.0
        k[C_LOW + i * WIDTH + j] = lane.c_low[i] - wide if wide > 0.0 else -np.inf
        k[C_HIGH + i * WIDTH + j] = lane.c_high[i] + wide if wide > 0.0 else np.inf


@part
def _pad(s: Any, k: Any, first: int) -> None:
    """Fill the columns that no signal uses with one that stands still."""
    for j in range(first, WIDTH):
        s[INTERVAL + j] = s[STEP + j] = s[SPREAD + j] = 1.0
        k[RATE + j] = k[HIGH + j] = k[CLIP + j] = k[SUSPICIOUS + j] = np.inf
        k[GOAL_HIGH + j] = k[GOAL_LOW + j] = k[SOLVES + j] = np.inf
        k[LOW + j] = -np.inf
        for i in range(CONTEXTS):
            k[C_LOW + i * WIDTH + j], k[C_HIGH + i * WIDTH + j] = -np.inf, np.inf


@part
def _expected(s: Any, n: Any, k: Any, contexts: int, context: NDArray[np.float64]) -> int:
    """Set what the references expect; return how many contexts are outside of what they know."""
    for j in range(WIDTH):
        n[EXPECTED + j] = s[MEAN + j]
    outside = 0
    for i in range(contexts):
        c = context[i]
        for j in range(WIDTH):
            n[EXPECTED + j] += k[SLOPE + i * WIDTH + j] * (c - k[CENTRE + i * WIDTH + j])
            outside += (c > k[C_HIGH + i * WIDTH + j]) | (c < k[C_LOW + i * WIDTH + j])
    return outside


@part
def _followed(s: Any, n: Any, k: Any, seconds: float, row: float) -> int:
    """Follow interval, resolution, level and spread; return how many readings are out of bounds."""
    out = 0
    for j in range(WIDTH):
        x, last = k[X + j], s[LAST + j]
        d = abs(x - last)
        usual = s[INTERVAL + j]
        n[INTERVAL + j] = usual + (min(max(seconds, 0.25 * usual), 4.0 * usual) - usual) / 16.0
        step = s[STEP + j]
        step = d if (d > 0.0) & (d < step) else step
        n[STEP + j] = step
        n[LAST + j] = x
        n[MOVED_AT + j] = row if x != last else s[MOVED_AT + j]
        level, spread, fast = s[LEVEL + j], s[SPREAD + j], s[FAST + j]
        sigma = max(1.2533 * spread, 0.5 * step, 1e-12 * abs(level))
        n[FAST + j] = fast + k[QUICK + j] * (x - fast)
        rest = x - level
        top = k[CLIP + j] * sigma
        out += (
            (x - x != 0.0)
            | (d > k[RATE + j] * seconds)
            | (x >= k[HIGH + j])
            | (x <= k[LOW + j])
            | (abs(rest) > k[SUSPICIOUS + j] * sigma)
        )
        rest = min(max(rest, -top), top)
        n[LEVEL + j] = level + k[SHARE + j] * rest
        n[SPREAD + j] = spread + k[SHARE + j] * (abs(rest) - spread)
    return out


@part
def _compared(s: Any, n: Any, k: Any, seconds: float, on: float) -> int:
    """Move the sums of the lasting shifts; return how many begin."""
    cap, inverse = 2.0 * on, 1.0 / on
    shifts = 0
    for j in range(WIDTH):
        top, slack = k[TOP + j], k[SLACK + j]
        residual = min(max(k[X + j] - n[EXPECTED + j], -top), top)
        weight = min(seconds * k[GAIN + j], k[MOST + j])
        rise = min(cap, max(0.0, s[RISE + j] + weight * (residual - slack)))
        fall = min(cap, max(0.0, s[FALL + j] - weight * (residual + slack)))
        n[RISE + j], n[FALL + j] = rise, fall
        g = max(rise * k[UP + j], fall * k[DOWN + j])
        shifts += g >= on
        q = g * inverse
        n[ODDS + j] = (k[STRANGE + j] + q * q) * k[SCORED + j]
    return shifts


@part
def _learned(s: Any, n: Any, k: Any, on: float) -> int:
    """Let references that are not frozen learn what is healthy; return how many are due."""
    due = 0
    for j in range(WIDTH):
        x, mean, count, top = k[X + j], s[MEAN + j], s[COUNT + j], k[TOP + j]
        residual = min(max(x - mean, -top), top)
        g = max(n[RISE + j] * k[UP + j], n[FALL + j] * k[DOWN + j])
        takes = (k[LEARNS + j] > 0.0) & (abs(residual) < k[NEAR + j]) & (g < 0.5 * on)
        dx = x - mean
        next_mean = mean + dx / (count + 1.0)
        n[COUNT + j] = count + 1.0 if takes else count
        n[MEAN + j] = next_mean if takes else mean
        n[EXPECTED + j] = next_mean if takes else s[EXPECTED + j]
        n[PRODUCT + j] = s[PRODUCT + j] + (dx * (x - next_mean) if takes else 0.0)
        due += (count + 1.0 >= k[SOLVES + j]) & (k[LEARNS + j] > 0.0)
    return due


@part
def _pairs(
    s: Any, before: Any, k: Any, lanes: Any, layout: NDArray[np.int64], item: Any, t: int
) -> None:
    """Let the pairs learn from a row what the references learned, as `reference.compare` does."""
    begin, learned = item.first_column, 0
    for j in range(item.columns):
        lane = lanes[layout[begin + 2 * j]]
        if lane.armed == 1 and lane.frozen == 0 and s[COUNT + j] > before[COUNT + j]:
            lane.rest = min(max(k[X + j] - before[MEAN + j], -k[TOP + j]), k[TOP + j])
            lane.rest_ns = t
            learned += 1
    if learned > 1:
        pair_up(lanes, layout, begin, begin + 2 * item.columns, t)


@part
def _worn(s: Any, n: Any, k: Any) -> int:
    """See how far the signals are on the way to their limits; return how many moved."""
    moved = 0
    for j in range(WIDTH):
        fast, mean, sigma = n[FAST + j], s[MEAN + j], k[SIGMA + j]
        way = max((fast - mean - sigma) / k[GOAL_HIGH + j], (mean - fast - sigma) / k[GOAL_LOW + j])
        way = min(max(way, 0.0), 1.0)
        bad = 0.5 * way * way
        n[BAD + j] = bad
        moved += abs(bad - k[SEEN + j]) > 0.02
    return moved


@part
def _keep(s: Any, j: int, lane: Any, contexts: int) -> None:
    """Copy column j of the state back."""
    lane.last, lane.interval_s, lane.step = s[LAST + j], s[INTERVAL + j], s[STEP + j]
    lane.fast, lane.level, lane.spread = s[FAST + j], s[LEVEL + j], s[SPREAD + j]
    lane.odds = s[ODDS + j]
    if lane.role == CONDITION:
        lane.rise, lane.fall, lane.bad = s[RISE + j], s[FALL + j], s[BAD + j]
        if contexts > 0 or lane.frozen == 0:
            lane.expected = s[EXPECTED + j]
        lane.count, lane.mean, lane.sxx = s[COUNT + j], s[MEAN + j], s[PRODUCT + j]


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
    pasts = wears = learns = sticks = 0
    unarmed_ns = armed_ns = NEVER  # since when the oldest of the references learns
    for i in range(contexts):
        if np.isnan(m.context[i]):
            return start
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        if lane.last_ns != last_ns or not _calm(lane, item, contexts, rules.level_share):
            return start
        pasts += lane.history >= 0
        wears += lane.wears
        sticks += lane.stuck_ns < NEVER
        if lane.role == CONDITION and lane.frozen == 0:
            learns += 1
            if lane.armed == 0:
                unarmed_ns = min(unarmed_ns, lane.first_ns)
            else:
                armed_ns = min(armed_ns, lane.first_ns)
    s, n, k = np.zeros(STATE), np.zeros(STATE), np.zeros(FIXED)
    tile = np.zeros(TILE * 2 * WIDTH)
    slot = np.full(WIDTH, -1)
    offset = np.zeros(WIDTH, np.int64)
    context = m.context.copy()
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        _fill(s, k, j, lane, contexts, rules)
        offset[j] = first + layout[begin + 2 * j + 1] * rows
        if lane.role == CONTEXT:
            slot[j] = lane.slot
    _pad(s, k, columns)
    n[:] = s
    on = rules.shift_on
    at, score, r = m.at_ns, m.score, start
    while r < rows:
        t = times[item.first_row + r]
        now = max(at, t)
        if t <= last_ns or now >= m.report_ns or (m.data_clock == 1 and now > m.due_ns):
            break
        if flags[item.first_row + r] & (ONSET_ALARM | BEYOND):
            break
        place = (r - start) % TILE
        if place == 0:
            for j in range(columns):
                for i in range(min(TILE, rows - r)):
                    tile[i * 2 * WIDTH + j] = cells[offset[j] + r + i] + 0.0  # no negative zero
                    tile[(i * 2 + 1) * WIDTH + j] = odds_of[offset[j] + r + i]
        k[X : X + 2 * WIDTH] = tile[place * 2 * WIDTH : (place + 1) * 2 * WIDTH]
        for i in range(columns if contexts > 0 else 0):
            if slot[i] >= 0:
                context[slot[i]] = k[X + i]
        seconds = (t - last_ns) * 1e-9
        events = _expected(s, n, k, contexts, context) + _followed(s, n, k, seconds, r)
        events += _compared(s, n, k, seconds, on)
        if wears > 0:
            events += _worn(s, n, k)
        if learns > 0:
            events += (unarmed_ns < NEVER) & ((t - unarmed_ns) * 1e-9 >= rules.reference_span_s)
            events += (armed_ns < NEVER) & ((t - armed_ns) * 1e-9 >= rules.freeze_span_s)
            events += _learned(s, n, k, on)
        if sticks > 0:
            for j in range(columns):
                lane = lanes[layout[begin + 2 * j]]
                moved = int(s[MOVED_AT + j])
                same = lane.same_ns if moved < 0 else times[item.first_row + moved]
                events += (k[X + j] == s[LAST + j]) & (t - same >= lane.stuck_ns)
        if events > 0:
            break
        s, n = n, s
        if armed_ns < NEVER:
            _pairs(s, n, k, lanes, layout, item, t)
        total = 0.0
        for j in range(columns):
            total += s[ODDS + j]
        score = total / (1.0 + total)
        scores[item.first_row + r] = score
        at, last_ns = now, t
        r += 1
        if pasts > 0:
            for j in range(columns):
                lane = lanes[layout[begin + 2 * j]]
                if lane.history >= 0:
                    remember(histories[lane.history], lane, m, t, k[X + j], rules)
            if m.flags != 0:
                break
    if r == start:
        return start
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        _keep(s, j, lane, contexts)
        moved = int(s[MOVED_AT + j])
        lane.same_ns = lane.same_ns if moved < 0 else times[item.first_row + moved]
        lane.last_ns = last_ns
        lane.rows += r - start
        if slot[j] >= 0:
            m.context[slot[j]] = s[LAST + j]
    m.rows += r - start
    m.at_ns, m.n, m.score = at, item.n, score
    return r
