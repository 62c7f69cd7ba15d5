"""Rows in which nothing happens, four signals of a machine abreast, compiled.

Nearly every row of nearly every machine is like that. `quiet` copies the state of a block's signals
into tables (field, signal), takes rows with the same arithmetic in the same order as the general
path (`kernel`, `checks`, `reference`), and stops before the first row that could change more than
numbers: a limit, a vote, a shift that begins or ends, a gap, a report that is due. That row is
taken the general way.
Both ways give the same bits: the tests compare blocks with single rows, which never come here.

Four signals (`abreast`) go through a tile of rows with their state in registers. Where the next
four stop earlier, the tile is taken again from its beginning, up to there.
"""

# ruff: noqa: PLR0911, PLR0912, PLR0915, PLR0917  compiled code: no keywords, a call is a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.abreast import (
    BAD,
    BEGIN,
    C_HIGH,
    C_LOW,
    CENTRE,
    CLIP,
    COUNT,
    DOWN,
    END,
    EXPECTED,
    FALL,
    FAST,
    FIXED,
    FLOOR,
    GAIN,
    GOAL_HIGH,
    GOAL_LOW,
    HIGH,
    INTERVAL,
    LAST,
    LEAP,
    LEARNS,
    LEVEL,
    LOW,
    MEAN,
    MOST,
    MOVED_AT,
    NEAR,
    ODDS,
    PRODUCT,
    QUICK,
    RATE,
    RISE,
    SAME,
    SCORED,
    SEEN,
    SHARE,
    SIGMA,
    SLACK,
    SLOPE,
    SOLVES,
    SPREAD,
    STATE,
    STEP,
    STUCK,
    SUSPICIOUS,
    TILE,
    TOP,
    UP,
    WIDEST,
    ahead,
    calm,
    fill,
    keep,
    lay,
    pad,
    pairs_learn,
    score,
)
from models.fleet.history import remember
from models.fleet.layout import (
    CONDITION,
    CONTEXT,
    FAULTY,
    NEVER,
)
from models.fleet.vectors import (
    LANES,
    choose,
    every,
    larger,
    load,
    smaller,
    some,
    store,
)
from models.life.compiled import lean

SMALLEST: Final = 8  #: rows for which filling the tables pays


@lean
def _take(
    s: Any,
    n: Any,
    k: Any,
    group: int,
    tile: Any,
    rests: Any,
    seconds: Any,
    ages: Any,
    context: Any,
    sums: Any,
    count: int,
    done: int,
    contexts: int,
    bounded: int,
    compares: int,
    learns: int,
    wears: int,
    sticks: int,
    shifting: int,
    on: float,
) -> int:
    """Take a group of signals from state `s` to state `n` through at most `count` rows of the tile.

    Returns the first row in which something happens, else `count`. `done`: rows before the tile.
    """
    a, b, first = group * STATE, group * FIXED, group * TILE * LANES
    for i in range(a, a + STATE, LANES):
        store(n, i, load(s, i))
    last, usual, step = load(s, a + LAST), load(s, a + INTERVAL), load(s, a + STEP)
    fast, level, spread = load(s, a + FAST), load(s, a + LEVEL), load(s, a + SPREAD)
    rise, fall, bad = load(s, a + RISE), load(s, a + FALL), load(s, a + BAD)
    mean, expected, odds = load(s, a + MEAN), load(s, a + EXPECTED), load(s, a + ODDS)
    moved_at = load(s, a + MOVED_AT)
    rate, high, low = load(k, b + RATE), load(k, b + HIGH), load(k, b + LOW)
    clip, suspicious = load(k, b + CLIP), load(k, b + SUSPICIOUS)
    share, quick, scored = load(k, b + SHARE), load(k, b + QUICK), load(k, b + SCORED)
    slack, top, gain = load(k, b + SLACK), load(k, b + TOP), load(k, b + GAIN)
    most, up, down = load(k, b + MOST), load(k, b + UP), load(k, b + DOWN)
    begin = load(k, b + BEGIN)
    g = larger(rise * up, fall * down)
    cap, inverse = 2.0 * on, 1.0 / on
    r = 0
    while r < count:
        here = first + r * LANES
        x, strange = load(tile, 2 * here), load(tile, 2 * here + LANES)
        age = seconds[r]
        d = abs(x - last)
        now_step = choose((d > 0.0) & (d < step), d, step)
        sigma = larger(larger(1.2533 * spread, 0.5 * now_step), 1e-12 * abs(level))
        rest = x - level
        events = ~(abs(rest) <= suspicious * sigma)  # also where nothing was read
        if bounded > 0:
            events = events | ~((x < high) & (x > low)) | (d > rate * age)
        now_fast = fast + quick * (x - fast)
        hope = mean
        if contexts > 0:
            reach = load(k, b + LEAP) * larger(1.2533 * spread, 1e-12 * abs(level))
            events = events | ((abs(rest) > reach) & (d > reach))
        for i in range(contexts):
            c, at = context[i * TILE + r], b + i * LANES
            hope = hope + load(k, at + SLOPE) * (c - load(k, at + CENTRE))
            events = events | (load(k, at + C_HIGH) < c) | (load(k, at + C_LOW) > c)
        now_rise, now_fall, residual = rise, fall, rest
        if compares > 0:
            residual = smaller(larger(x - hope, 0.0 - top), top)
            weight = smaller(age * gain, most)
            now_rise = smaller(cap, larger(0.0, rise + weight * (residual - slack)))
            now_fall = smaller(cap, larger(0.0, fall - weight * (residual + slack)))
            g = larger(now_rise * up, now_fall * down)
            events = events | (g >= begin)
        if shifting > 0:
            events = events | (g <= load(k, b + END))
        same, takes, more, dx = last, d > 0.0, mean, mean
        now_mean, now_bad = mean, bad
        if sticks > 0:
            same = choose(x == last, load(n, a + SAME), every(ages[r]))
            events = events | ((x == last) & (ages[r] - same >= load(k, b + STUCK)))
        if learns > 0:
            free = load(k, b + LEARNS) > 0.0
            takes = free
            if compares > 0:
                takes = free & (abs(residual) < load(k, b + NEAR)) & (g < 0.5 * on)
            more = load(n, a + COUNT) + 1.0
            dx = x - mean
            now_mean = choose(takes, mean + dx / more, mean)
            events = events | (free & (more >= load(k, b + SOLVES)))
        if wears > 0:
            goal, near = load(k, b + GOAL_HIGH), load(k, b + SIGMA)
            way = (now_fast - now_mean - near) / (goal - now_mean)
            way = choose(goal > now_mean, way, every(0.0))
            goal = load(k, b + GOAL_LOW)
            low_way = (now_mean - now_fast - near) / (now_mean - goal)
            way = choose(goal < now_mean, larger(way, low_way), way)
            way = smaller(larger(way, 0.0), 1.0)
            now_bad = larger(0.5 * way * way, load(k, b + FLOOR))
            events = events | (abs(now_bad - load(k, b + SEEN)) > 0.02)
        if some(events):
            break
        if sticks > 0:
            store(n, a + SAME, same)
        if learns > 0:
            store(n, a + COUNT, choose(takes, more, load(n, a + COUNT)))
            product = load(n, a + PRODUCT)
            store(n, a + PRODUCT, choose(takes, product + dx * (x - now_mean), product))
            if compares > 0:
                store(rests, here, choose(takes, residual, every(np.nan)))
            expected = choose(takes, now_mean, expected)
        else:
            expected = hope
        usual += (smaller(larger(age, 0.25 * usual), 4.0 * usual) - usual) / 16.0
        bound = clip * sigma
        rest = smaller(larger(rest, 0.0 - bound), bound)
        level += share * rest
        spread += share * (abs(rest) - spread)
        moved_at = choose(x == last, moved_at, every(float(done + r)))
        q = g * inverse
        odds = (strange + q * q) * scored
        store(sums, r * LANES, odds if group == 0 else load(sums, r * LANES) + odds)
        last, step, fast, rise, fall = x, now_step, now_fast, now_rise, now_fall
        mean, bad = now_mean, now_bad
        r += 1
    store(n, a + LAST, last)
    store(n, a + INTERVAL, usual)
    store(n, a + STEP, step)
    store(n, a + FAST, fast)
    store(n, a + LEVEL, level)
    store(n, a + SPREAD, spread)
    store(n, a + RISE, rise)
    store(n, a + FALL, fall)
    store(n, a + BAD, bad)
    store(n, a + MEAN, mean)
    store(n, a + EXPECTED, expected)
    store(n, a + ODDS, odds)
    store(n, a + MOVED_AT, moved_at)
    return r


@lean
def _remembered(
    histories: Any,
    lanes: Any,
    m: Any,
    item: Any,
    layout: NDArray[np.int32],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    r: int,
    count: int,
    rules: Any,
) -> int:
    """Keep the past of rows; return how many there were until one asked for an estimate."""
    for i in range(r, r + count):
        for j in range(item.first_column, item.first_column + 2 * item.columns, 2):
            lane = lanes[layout[j]]
            if lane.history >= 0:
                x = cells[item.first_cell + layout[j + 1] * item.rows + i] + 0.0
                t = times[item.first_row + i]
                remember(histories[lane.history], lane, m, t, x, rules)
        if m.flags != 0:
            return i + 1 - r
    return count


@lean
def quiet(
    lanes: Any,
    bounds: Any,
    references: Any,
    terms: Any,
    m: Any,
    histories: Any,
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
    """Take rows from `start` while they are quiet; return the first that was not taken.

    `room`: what `abreast.rooms` made.
    `m.flags` is set when the last row taken asks for an estimate.
    """
    columns, rows, contexts = item.columns, item.rows, int(m.contexts)
    if columns > WIDEST or rows - start < SMALLEST or m.flags != 0:
        return start
    first, begin = item.first_cell, item.first_column
    last_ns = lanes[layout[begin]].last_ns
    pasts = bounded = compares = wears = learns = sticks = shifting = 0
    until = m.report_ns  # from then on the row has something to tell
    if m.data_clock == 1:
        until = min(until, m.due_ns + 1)
    pairs = False
    for i in range(contexts):
        if np.isnan(m.context[i]):
            return start
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        if lane.last_ns != last_ns or not calm(lane, terms, contexts, rules.level_share):
            return start
        if lane.history >= 0:
            pasts += 1
            if histories[lane.history].width_ns == 0:
                return start
        bounded += bounds[lane.bound].limited == 1 or bounds[lane.bound].rate < np.inf
        compares += lane.armed == 1
        wears += lane.wears
        sticks += bounds[lane.bound].stuck_ns < NEVER
        shifting += lane.active != 0
        if lane.role == CONDITION and lane.frozen == 0:
            learns += 1
            pairs = pairs or lane.armed == 1
            span = rules.reference_span_s if lane.armed == 0 else rules.freeze_span_s
            until = min(until, lane.first_ns + int(span * 1e9) - 1000)  # seconds are rounded
    if m.at_ns >= until:
        return start
    groups = (columns + LANES - 1) // LANES
    s, n, k, tile, rests, sums, seconds, ages, context, offset, slot, left, _ = room
    offset[:] = first + layout[begin + 1] * rows
    slot[:] = -1
    t0 = times[item.first_row + start]
    for j in range(groups * LANES):
        a, b = j // LANES * STATE + j % LANES, j // LANES * FIXED + j % LANES
        if j >= columns:
            pad(s, a, k, b)
            continue
        lane = lanes[layout[begin + 2 * j]]
        bound, ref = bounds[lane.bound], references[lane.onset]
        fill(s, a, k, b, lane, bound, ref, terms, contexts, t0, rules)
        offset[j] = first + layout[begin + 2 * j + 1] * rows
        if lane.role == CONTEXT:
            slot[j] = lane.slot
    for i in range(contexts):
        context[i * TILE : (i + 1) * TILE] = m.context[i]
    r = start
    while r < rows and m.flags == 0:
        count = ahead(item, times, flags, r, last_ns, until, t0, seconds, ages)
        for group in range(groups):
            lay(tile, group, offset, r, count, cells, odds_of)
        for j in range(columns if contexts > 0 else 0):
            if slot[j] >= 0:
                for i in range(count):
                    context[slot[j] * TILE + i] = cells[offset[j] + r + i] + 0.0
        told = False
        while count > 0:
            taken = count
            for group in range(groups):
                taken = _take(
                    s, n, k, group, tile, rests, seconds, ages, context, sums,
                    taken, r, contexts, bounded, compares, learns, wears, sticks, shifting,
                    rules.shift_on,
                )  # fmt: skip
            if taken < count:
                count = taken
                continue
            if pasts > 0 and not told:  # a row that asks for an estimate is the last one
                told = True
                count = _remembered(
                    histories, lanes, m, item, layout, times, cells, r, count, rules
                )
            if taken == count:
                break
        if count == 0:
            break
        s, n = n, s
        score(sums, scores, item.first_row + r, count)
        for i in range(count if shifting > 0 else 0):
            flags[item.first_row + r + i] |= FAULTY
        for i in range(count if pairs else 0):
            pairs_learn(rests, left, lanes, references, layout, item, i)
        r += count
        last_ns = times[item.first_row + r - 1]
        if count < TILE:
            break
    if r == start:
        return start
    first_ns = times[item.first_row + start]
    for j in range(columns):
        lane = lanes[layout[begin + 2 * j]]
        a = j // LANES * STATE + j % LANES
        keep(s, a, lane, references[lane.onset], contexts, first_ns, item.at_ns)
        moved = int(s[a + MOVED_AT])
        lane.same_ns = lane.same_ns if moved < 0 else times[item.first_row + moved]
        lane.last_ns = last_ns
        lane.rows += r - start
        if slot[j] >= 0:
            m.context[slot[j]] = s[a + LAST]
    m.rows += r - start
    m.at_ns, m.n, m.score = max(m.at_ns, last_ns), item.n, scores[item.first_row + r - 1]
    return r
