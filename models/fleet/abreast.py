"""The state of four signals side by side, as `models.fleet.quiet` takes them: tables and copies."""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.checks import SHIFTED
from models.fleet.layout import (
    BEYOND,
    CONDITION,
    CONTEXT,
    CONTEXTS,
    DETECTOR,
    MARKED,
    NEVER,
    ONSET_ALARM,
    REGISTERS,
    SHIFT,
)
from models.fleet.layout import (
    MOST as MOST_ROWS,
)
from models.fleet.pairs import pair_up
from models.fleet.reference import most, top
from models.fleet.silence import receipt
from models.fleet.terms import CENTRE as C_CENTRE
from models.fleet.terms import HIGHEST, LOWEST, at
from models.fleet.terms import SLOPE as C_SLOPE
from models.fleet.vectors import LANES, load, store, total, turned
from models.life.compiled import lean, part

TILE: Final = 64  #: rows at a time
WIDEST: Final = 64  #: signals of a block

# where the fields of the state begin, of four signals
LAST, INTERVAL, STEP, FAST, LEVEL, SPREAD, RISE, FALL, BAD = range(0, 9 * LANES, LANES)
EXPECTED, ODDS, MOVED_AT, SAME, COUNT, MEAN, PRODUCT = range(9 * LANES, 16 * LANES, LANES)
STATE: Final = 16 * LANES
# and those of what stays
RATE, HIGH, LOW, CLIP, SUSPICIOUS, SHARE, QUICK, SCORED = range(0, 8 * LANES, LANES)
SLACK, TOP, GAIN, MOST, UP, DOWN, SIGMA, STUCK = range(8 * LANES, 16 * LANES, LANES)
GOAL_HIGH, GOAL_LOW, SEEN, LEARNS, SOLVES, NEAR = range(16 * LANES, 22 * LANES, LANES)
BEGIN, END, FLOOR = range(22 * LANES, 25 * LANES, LANES)  # of a lasting shift
LEAP = 25 * LANES  # of a context
SLOPE = 26 * LANES
CENTRE = SLOPE + CONTEXTS * LANES
C_LOW = CENTRE + CONTEXTS * LANES
C_HIGH = C_LOW + CONTEXTS * LANES
FIXED = C_HIGH + CONTEXTS * LANES
STOPS: Final = ONSET_ALARM | BEYOND | MARKED  #: rows that are taken one by one


@lean
def calm(lane: Any, terms: Any, contexts: int, share: float) -> bool:
    """Whether a signal is in a state that the tables can hold."""
    shifting = lane.active == 1 << SHIFT  # it lasts; for how long the sums say
    calm = (lane.active == 0 or shifting) and lane.changed == 0
    calm = calm and lane.rows * share >= 1.0 and lane.interval_s > 0.0 and lane.step < np.inf
    calm = calm and lane.role != DETECTOR
    for i in range(REGISTERS):
        calm = calm and lane.register[i] == 0
    if lane.role in (CONDITION, CONTEXT):
        calm = calm and lane.learned * share >= 1.0
    if lane.role == CONDITION:
        if lane.frozen == 0:  # still learning: only where no context explains anything
            calm = calm and contexts == 0 and lane.count > 0
        if lane.armed == 1:
            calm = calm and lane.sigma > 0.0
        for i in range(contexts):
            calm = calm and not np.isnan(terms[at(lane, C_CENTRE, i)])
    if lane.role != CONDITION or lane.wears == 0:
        calm = calm and lane.bad == (SHIFTED if shifting else 0.0)
        calm = calm and abs(lane.bad - lane.bad_seen) <= 0.02
    return bool(calm)


@lean
def fill(
    s: Any,
    a: int,
    k: Any,
    b: int,
    lane: Any,
    bound: Any,
    ref: Any,
    terms: Any,
    contexts: int,
    t0: int,
    rules: Any,
) -> None:
    """Copy a signal's state into `s` from `a` on, and what stays into `k` from `b` on."""
    s[a + LAST], s[a + INTERVAL], s[a + STEP] = lane.last, lane.interval_s, lane.step
    s[a + FAST], s[a + LEVEL], s[a + SPREAD] = lane.fast, lane.level, lane.spread
    s[a + RISE], s[a + FALL], s[a + BAD] = lane.rise, lane.fall, lane.bad
    s[a + EXPECTED], s[a + MOVED_AT], s[a + ODDS] = lane.expected, -1.0, 0.0
    s[a + COUNT], s[a + MEAN] = lane.count, lane.mean
    s[a + PRODUCT] = ref.sxx if lane.role == CONDITION else 0.0
    s[a + SAME] = (lane.same_ns - t0) * 1e-9
    k[b + RATE] = bound.rate
    k[b + HIGH] = min(bound.alert_high, bound.alarm_high)
    k[b + LOW] = max(bound.alert_low, bound.alarm_low)
    k[b + SIGMA], k[b + SLACK], k[b + TOP] = lane.sigma, lane.slack, top(lane, rules)
    k[b + MOST], k[b + SEEN] = most(lane), lane.bad_seen
    k[b + GAIN] = k[b + MOST] / rules.shift_span_s
    stuck = bound.stuck_ns * (1e-9 - 1e-18) - 1e-6  # rather a little too early
    k[b + STUCK] = stuck if bound.stuck_ns < NEVER else np.inf
    scored = lane.role == CONDITION
    k[b + CLIP] = rules.clip if scored else np.inf
    k[b + SUSPICIOUS] = rules.suspicious if scored else np.inf
    k[b + SCORED] = 1.0 if scored else 0.0
    k[b + LEAP] = rules.suspicious if lane.slot >= 0 else np.inf
    shifting = lane.active == 1 << SHIFT
    k[b + BEGIN] = np.inf if shifting else rules.shift_on
    k[b + END] = rules.shift_off if shifting else -np.inf
    k[b + FLOOR] = SHIFTED if shifting else 0.0
    learns = scored or lane.role == CONTEXT
    k[b + SHARE] = rules.level_share if learns else 0.0
    k[b + QUICK] = rules.fast_share if learns else 0.0
    k[b + UP] = 1.0 if lane.shifts == 1 and lane.up == 1 else 0.0
    k[b + DOWN] = 1.0 if lane.shifts == 1 and lane.down == 1 else 0.0
    armed = scored and lane.armed == 1
    if not armed:  # nothing to compare with: the sums stand still
        k[b + GAIN] = k[b + MOST] = 0.0
    k[b + LEARNS] = 1.0 if scored and lane.frozen == 0 else 0.0
    k[b + NEAR] = 3.0 * lane.sigma if lane.armed == 1 else np.inf
    k[b + SOLVES] = ref.solve_at if lane.armed == 1 else np.inf
    wears = armed and lane.wears == 1
    k[b + GOAL_HIGH] = bound.goal_high if wears else np.nan
    k[b + GOAL_LOW] = bound.goal_low if wears else np.nan
    for i in range(contexts):
        c = b + i * LANES
        k[c + SLOPE] = k[c + CENTRE] = 0.0
        k[c + C_LOW], k[c + C_HIGH] = -np.inf, np.inf
        if not scored:
            continue
        k[c + SLOPE], k[c + CENTRE] = terms[at(lane, C_SLOPE, i)], terms[at(lane, C_CENTRE, i)]
        low, high = terms[at(lane, LOWEST, i)], terms[at(lane, HIGHEST, i)]
        wide = 0.25 * (high - low)
        if wide > 0.0:
            k[c + C_LOW], k[c + C_HIGH] = low - wide, high + wide


@lean
def pad(s: Any, a: int, k: Any, b: int) -> None:
    """Fill the place of no signal with one that stands still."""
    for i in range(0, STATE, LANES):
        s[a + i] = 0.0
    for i in range(0, FIXED, LANES):
        k[b + i] = 0.0
    s[a + INTERVAL] = s[a + STEP] = s[a + SPREAD] = 1.0
    k[b + RATE] = k[b + HIGH] = k[b + CLIP] = k[b + SUSPICIOUS] = np.inf
    k[b + STUCK] = k[b + SOLVES] = k[b + BEGIN] = k[b + LEAP] = np.inf
    k[b + LOW] = k[b + END] = -np.inf
    k[b + GOAL_HIGH] = k[b + GOAL_LOW] = np.nan
    for i in range(0, CONTEXTS * LANES, LANES):
        k[b + C_LOW + i], k[b + C_HIGH + i] = -np.inf, np.inf


@lean
def lay(
    tile: Any, group: int, offset: NDArray[np.int64], r: int, count: int, cells: Any, odds: Any
) -> None:
    """Lay the readings and the watch's odds of a group abreast: of each row, four and four."""
    j, at = group * LANES, 2 * group * TILE * LANES
    a, b, c, d = offset[j] + r, offset[j + 1] + r, offset[j + 2] + r, offset[j + 3] + r
    i = 0
    while i + 4 <= count:
        xs = turned(load(cells, a + i), load(cells, b + i), load(cells, c + i), load(cells, d + i))
        ys = turned(load(odds, a + i), load(odds, b + i), load(odds, c + i), load(odds, d + i))
        k = at + 2 * LANES * i
        store(tile, k, xs[0] + 0.0)  # no negative zero
        store(tile, k + LANES, ys[0])
        store(tile, k + 2 * LANES, xs[1] + 0.0)
        store(tile, k + 3 * LANES, ys[1])
        store(tile, k + 4 * LANES, xs[2] + 0.0)
        store(tile, k + 5 * LANES, ys[2])
        store(tile, k + 6 * LANES, xs[3] + 0.0)
        store(tile, k + 7 * LANES, ys[3])
        i += 4
    while i < count:
        for k in range(LANES):
            tile[at + i * 2 * LANES + k] = cells[offset[j + k] + r + i] + 0.0
            tile[at + i * 2 * LANES + LANES + k] = odds[offset[j + k] + r + i]
        i += 1


@lean
def keep(s: Any, a: int, lane: Any, ref: Any, contexts: int, t: int, heard: int) -> None:
    """Copy a signal's state back after rows from `t` on that were received at `heard`."""
    receipt(lane, t, heard)
    lane.last, lane.interval_s, lane.step = s[a + LAST], s[a + INTERVAL], s[a + STEP]
    lane.fast, lane.level, lane.spread = s[a + FAST], s[a + LEVEL], s[a + SPREAD]
    lane.odds = s[a + ODDS]
    if lane.role == CONDITION:
        lane.rise, lane.fall, lane.bad = s[a + RISE], s[a + FALL], s[a + BAD]
        if contexts > 0 or lane.frozen == 0:
            lane.expected = s[a + EXPECTED]
        lane.count = min(int(s[a + COUNT]), MOST_ROWS)
        lane.mean, ref.sxx = s[a + MEAN], s[a + PRODUCT]


@lean
def score(sums: Any, scores: NDArray[np.float64], first: int, count: int) -> None:
    """Turn the odds of rows, of every fourth signal together, into their scores."""
    i = 0
    while i + 4 <= count:
        at = i * LANES
        a, b, c, d = turned(
            load(sums, at), load(sums, at + LANES), load(sums, at + 2 * LANES),
            load(sums, at + 3 * LANES),
        )  # fmt: skip
        odds = (a + b) + (c + d)
        store(scores, first + i, odds / (1.0 + odds))
        i += 4
    while i < count:
        one = total(load(sums, i * LANES))
        scores[first + i] = one / (1.0 + one)
        i += 1


@lean
def pairs_learn(
    rests: Any, left: Any, lanes: Any, references: Any, layout: NDArray[np.int32], item: Any, r: int
) -> None:
    """Let the pairs learn from a row what the references learned, as `reference.compare` does.

    `left` (columns,): room for what the contexts left of the row.
    """
    begin, learned = item.first_column, 0
    for j in range(item.columns):
        lane = lanes[layout[begin + 2 * j]]
        pairs = lane.role == CONDITION and lane.armed == 1 and lane.frozen == 0
        left[j] = rests[(j // LANES * TILE + r) * LANES + j % LANES] if pairs else np.nan
        learned += not np.isnan(left[j])
    if learned > 1:
        pair_up(left, lanes, references, layout, begin, begin + 2 * item.columns)


@lean
def ahead(
    item: Any,
    times: NDArray[np.int64],
    flags: NDArray[np.uint8],
    r: int,
    last_ns: int,
    until: int,
    t0: int,
    seconds: Any,
    ages: Any,
) -> int:
    """Return how many of the next rows time and the watch let pass; set seconds and age of each."""
    count = min(TILE, item.rows - r)
    for i in range(count):
        t = times[item.first_row + r + i]
        if t <= last_ns or t >= until or flags[item.first_row + r + i] & STOPS:
            return i
        seconds[i], ages[i] = (t - last_ns) * 1e-9, (t - t0) * 1e-9
        last_ns = t
    return int(count)


@part
def rooms(widest: int) -> Any:
    """Return the tables that `models.fleet.quiet.quiet` works in, for as many signals as it takes.

    State before and after, what stays, readings with odds, what references learned, odds of a row
    (all of four signals), seconds and age of a row, contexts, of each signal where its readings are
    and its slot; what the contexts left of each of a row's signals, `widest` of them, and of one.
    """
    groups = WIDEST // LANES
    return (
        *(np.empty(groups * STATE), np.empty(groups * STATE), np.empty(groups * FIXED)),
        *(np.empty(2 * groups * TILE * LANES), np.empty(groups * TILE * LANES)),
        *(np.empty(TILE * LANES), np.empty(TILE), np.empty(TILE), np.empty(CONTEXTS * TILE)),
        *(np.empty(WIDEST, np.int64), np.empty(WIDEST, np.int64)),
        *(np.empty(max(widest, WIDEST)), np.empty(1)),
    )
