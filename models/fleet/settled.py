"""The watch over eight signals abreast, once their layers have settled, compiled.

`take` copies what the watch knows of signals into a table (field, signal), takes rows with the
same arithmetic in the same order as one reading at a time (`models.fleet.onset`, `early`), and
stops before a row that is of another kind: nothing was read, another part of the day, a signal that
begins to stay away. Both ways give the same bits: the tests compare blocks with single rows.
"""
# ruff: noqa: PLR0915, PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.early import BLOCK, NOISE, block_done
from models.fleet.onset import (
    CELLS,
    HUGE,
    LAGS,
    LEVEL,
    MIDDLE,
    NOTHING,
    PATTERN,
    SEASON,
    TOP,
    unseen,
)
from models.fleet.vectors import WIDE as LANES
from models.fleet.vectors import choose, larger, signed, single, smaller, some, store, upwards
from models.fleet.vectors import every_wide as every
from models.fleet.vectors import load_wide as load
from models.fleet.watched import (
    AROUND,
    BASE,
    BLOCKED,
    CELL,
    CENTRE,
    EDGE,
    EVIDENCE,
    FRESH,
    HEARD,
    HIGH,
    LOW,
    NEWS,
    NOISES,
    ORIGIN,
    OUT,
    QUICK,
    REACH,
    RECENT_1,
    RECENT_2,
    RECENT_3,
    SCALE,
    SEEN,
    SLOW,
    SPREAD,
    STEP,
    SUM,
    TOTAL,
    TRIPLE,
    VISITS,
    WANDER,
    WIDTH,
    XS,
    ahead,
    count_on,
    fill,
    hand_out,
    keep,
    lay,
    settled,
)
from models.life.compiled import inlined, lean

MOST = 4095  #: no triple's number is larger, nor below 0: the compiler need not look


@inlined
def _learned(
    excess: Any, edge: Any, scale: Any, seen: Any, young: bool, least: float, rules: Any
) -> Any:
    """Return edge and scale of a tail after a surprise, as `onset._tail` learns them."""
    hit = excess > 0.0
    share = every(rules.tail_share)
    if young:
        share = larger(share, 1.0 / (1.0 + (1.0 + 0.05 * seen)))
    wider = scale + share * (smaller(excess, rules.tail_clip * scale) - scale)
    up = edge + 9.5 * rules.tail_rate * scale
    down = larger(0.0, edge - 0.5 * rules.tail_rate * scale)
    return choose(hit, up, down), choose(hit, larger(least, wider), scale)


@inlined
def _exponent(excess: Any, scale: Any, seen: Any) -> Any:
    """Return the exponent of an excess over the edge of a tail, as `onset._tail` does."""
    twice = 2.0 * (1.0 + 0.05 * seen)
    return choose(excess > 0.0, excess * twice / (scale * twice + excess), every(0.0))


@inlined
def _young(t: Any, layer: int, rules: Any) -> bool:
    """Whether so little is known of a layer's tail that its share still comes down."""
    known = 1.0 + 0.05 * (load(t, SEEN + layer * LANES) + 1.0)
    return bool(some((1.0 + known) * rules.tail_share < 1.0 + 1e-9))


@lean
def _most(t: Any, at: int) -> float:
    """Return the largest of a vector of the table."""
    most = t[at]
    for j in range(1, LANES):
        most = max(most, t[at + j])
    return float(most)


@lean
def _blocks_done(t: Any, onsets: Any, which: Any, lanes: int, r: int, rules: Any) -> int:
    """Let the signals learn whose blocks are full after row `r`; return where the next one is.

    Until all rows are taken the table holds how many there were of a block before them.
    """
    for j in range(lanes):
        if t[BLOCKED + j] + r + 1 >= BLOCK:
            o = onsets[which[j]]
            o.block_sum = t[SUM + j]
            block_done(o, int(t[HEARD + j]) + r + 1, rules)
            t[BLOCKED + j], t[SUM + j] = o.block_rows - (r + 1), o.block_sum
            t[WANDER + j], t[REACH + j] = o.wander, o.reach
    last = lanes - 1
    for j in range(lanes, LANES):
        t[BLOCKED + j], t[SUM + j] = t[BLOCKED + last], t[SUM + last]
        t[WANDER + j], t[REACH + j] = t[WANDER + last], t[REACH + last]
    return BLOCK - 1 - int(_most(t, BLOCKED))


@lean
def _levels(
    t: Any, onsets: Any, which: Any, lanes: int, count: int, day: int, early: bool, rules: Any
) -> int:
    """Take level, season and early state through the rows; return how many were taken.

    Leaves the exponents of both layers in TOTAL, and in OUT what the early state weighs evidence
    by. Stops before a change that is smaller than any before it.
    """
    step, slow, spread, around = load(t, STEP), load(t, SLOW), load(t, SPREAD), load(t, AROUND)
    centre, width, visits = load(t, CENTRE), load(t, WIDTH), load(t, VISITS)
    origin = load(t, ORIGIN)
    base, quick, noises, block_sum = load(t, BASE), load(t, QUICK), load(t, NOISES), load(t, SUM)
    edge_l, scale_l = load(t, EDGE + LEVEL * LANES), load(t, SCALE + LEVEL * LANES)
    edge_s, scale_s = load(t, EDGE + SEASON * LANES), load(t, SCALE + SEASON * LANES)
    wander, reach = rules.early_wander * load(t, WANDER), load(t, REACH)
    share, even = rules.level_share, 1.0 / rules.early_even
    rows, wide_share = load(t, HEARD), every(rules.spread_share)
    learning = some((rows + 1.0) * wide_share < 1.0)
    young_l, young_s = _young(t, LEVEL, rules), _young(t, SEASON, rules)
    half = 0.5 * step
    full = BLOCK - 1 - int(_most(t, BLOCKED))
    inverse, inverse_1 = 1.0 / visits, 1.0 / (visits - 1.0)
    growing = some(visits < rules.season_rows)
    r = 0
    while r < count:
        at = XS + r * LANES
        x, before = load(t, at), load(t, at - LANES)
        d = abs(x - before)
        if some((d > 0.0) & (d < step)) and r > 0:
            break
        if early:
            next_quick = quick + rules.early_fast * (x - quick)
            noise = NOISE * noises
            begins = (noise + wander) * reach
            away = abs(next_quick - base)
            if some(~(away <= begins)):
                break
            quick = next_quick
            store(t, OUT + r * LANES, smaller(away / begins, 1.0) * even)
            block_sum = block_sum + x
            rest = x - base
            size = smaller(abs(rest), 3.0 * noise)
            base = base + rules.early_share * signed(size, rest)
            noises = noises + rules.early_share * (size - noises)
            if r == full:
                store(t, SUM, block_sum)
                full = _blocks_done(t, onsets, which, lanes, r, rules)
                block_sum = load(t, SUM)
                wander, reach = rules.early_wander * load(t, WANDER), load(t, REACH)
        elif some(~(x - x == 0.0)):  # nothing was read
            break
        least = larger(half, 1e-12 * abs(slow))
        if learning:
            share_of = 1.0 / (rows + (r + 1.0))
            wide_share = choose(
                (rows + (r + 1.0)) * rules.spread_share >= 1.0, every(rules.spread_share), share_of
            )
        # level
        sigma = larger(spread, least)
        rest = x - slow
        mean = 0.25 * ((x + before) + (load(t, at - 2 * LANES) + load(t, at - 3 * LANES)))
        far = abs(mean - slow)
        size = smaller(abs(rest), TOP * sigma)
        slow = slow + share * signed(size, rest)
        spread = spread + wide_share * (size - spread)
        seen = load(t, SEEN + LEVEL * LANES) + (r + 1.0)
        excess = far / sigma - edge_l
        total = _exponent(excess, scale_l, seen)
        edge_l, scale_l = _learned(excess, edge_l, scale_l, seen, young_l, rules.level_least, rules)
        # season
        wideness = larger(larger(width, 0.25 * around), least)
        rest = x - (origin + centre)
        size = abs(rest)
        if day > 0:
            seen = load(t, SEEN + SEASON * LANES) + (r + 1.0)
            excess = size / wideness - edge_s
            total = total + _exponent(excess, scale_s, seen)
            edge_s, scale_s = _learned(
                excess, edge_s, scale_s, seen, young_s, rules.season_least, rules
            )
        if growing:
            visits = choose(visits < rules.season_rows, visits + 1.0, visits)
            inverse, inverse_1 = 1.0 / visits, 1.0 / (visits - 1.0)
        size = smaller(size, TOP * wideness)
        rest = signed(size, rest)
        centre = single(larger(smaller(centre + rest * inverse, HUGE), -HUGE))
        around = around + wide_share * (size - around)
        width = single(smaller(width + (size - width) * inverse_1, HUGE))
        store(t, TOTAL + r * LANES, total)
        r += 1
    store(t, SLOW, slow)
    store(t, SPREAD, spread)
    store(t, AROUND, around)
    store(t, CENTRE, centre)
    store(t, WIDTH, width)
    store(t, VISITS, visits)
    store(t, EDGE + LEVEL * LANES, edge_l)
    store(t, SCALE + LEVEL * LANES, scale_l)
    store(t, EDGE + SEASON * LANES, edge_s)
    store(t, SCALE + SEASON * LANES, scale_s)
    store(t, BASE, base)
    store(t, QUICK, quick)
    store(t, NOISES, noises)
    store(t, SUM, block_sum)
    if early:
        store(t, BLOCKED, load(t, BLOCKED) + float(r))
    return r


@lean
def _cells(t: Any, count: int, rules: Any) -> None:
    """Take the range of the pattern through the rows: the cell of each, and its triple."""
    step, low, high, rows = load(t, STEP), load(t, LOW), load(t, HIGH), load(t, HEARD)
    wide = high - low
    flat = (wide < 1.5 * step) | (wide <= 0.0)  # two values only: no pattern
    centred, finer = 0.5 * (low + high), (CELLS - 1.0) / wide
    r = 0
    while r < count:
        x = load(t, XS + r * LANES)
        if some((x > high) | (x < low)):
            far = wide * smaller(every(1.0), rules.range_rows / (rows + float(r)))
            far = choose(wide > 0.0, far, every(np.inf))
            above = x > high
            low = choose((x < low) & ~above, larger(x, low - far), low)
            high = choose(above, smaller(x, high + far), high)
            wide = high - low
            centred, finer = 0.5 * (low + high), (CELLS - 1.0) / wide
            flat = (wide < 1.5 * step) | (wide <= 0.0)
        off = (x - centred) * finer
        steps = upwards(smaller(abs(off), MIDDLE * 1.0) - 0.5 - 1e-6)
        cell = choose(flat, every(MIDDLE * 1.0), MIDDLE * 1.0 + signed(steps, off))
        at = CELL + r * LANES
        store(t, at, cell)
        first, second = load(t, at - LAGS[0] * LANES), load(t, at - LAGS[1] * LANES)
        store(t, TRIPLE + r * LANES, (cell * float(CELLS) + first) * float(CELLS) + second)
        r += 1
    store(t, LOW, low)
    store(t, HIGH, high)


@lean
def _news(t: Any, onsets: Any, which: Any, lanes: int, count: int) -> bool:
    """Keep the triples of the rows; note which are new (NEWS), and return whether there are any."""
    found = False
    for j in range(lanes):
        o = onsets[which[j]]
        for i in range(j, j + count * LANES, LANES):
            if unseen(o, int(t[TRIPLE + i]) & MOST):
                found = True
                t[NEWS + i] = 1.0
                if j == lanes - 1:  # the last signal again
                    for k in range(i + 1, i + LANES - j):
                        t[NEWS + k] = 1.0
    return found


@lean
def _patterns(t: Any, count: int, rules: Any) -> None:
    """Add the exponents of the pattern to those of the rows, and forget what is new (NEWS)."""
    edge, scale, fresh = (
        load(t, EDGE + PATTERN * LANES), load(t, SCALE + PATTERN * LANES), load(t, FRESH)
    )  # fmt: skip
    young, zero = _young(t, PATTERN, rules), every(0.0)
    r = 0
    while r < count:
        at = r * LANES
        fresh = fresh + rules.pattern_share * (load(t, NEWS + at) - fresh)
        fresh = choose(fresh < NOTHING, zero, fresh)
        seen = load(t, SEEN + PATTERN * LANES) + (r + 1.0)
        excess = fresh - edge
        store(t, TOTAL + at, load(t, TOTAL + at) + _exponent(excess, scale, seen))
        edge, scale = _learned(excess, edge, scale, seen, young, rules.pattern_least, rules)
        store(t, NEWS + at, zero)
        r += 1
    store(t, EDGE + PATTERN * LANES, edge)
    store(t, SCALE + PATTERN * LANES, scale)
    store(t, FRESH, fresh)


@lean
def _evidence(t: Any, count: int, known: bool, early: bool, rules: Any) -> None:
    """Turn the exponents of the rows into evidence (OUT); `known`: all patterns were, for long."""
    edge, fall = load(t, EDGE + PATTERN * LANES), every(0.0)
    if known:
        fall = 0.5 * rules.tail_rate * load(t, SCALE + PATTERN * LANES)
    evidence, zero = load(t, EVIDENCE), every(0.0)
    r = 0
    while r < count:
        total, at = load(t, TOTAL + r * LANES), OUT + r * LANES
        edge = larger(0.0, edge - fall)
        evidence = evidence + rules.evidence_share * (total * rules.layer_weight - evidence)
        evidence = choose(evidence >= NOTHING, evidence, zero)
        store(t, at, evidence * load(t, at) if early else evidence)
        r += 1
    store(t, EVIDENCE, evidence)
    store(t, EDGE + PATTERN * LANES, edge)


@lean
def _readings(
    t: Any, onsets: Any, which: Any, lanes: int, count: int, day: int, early: bool, rules: Any
) -> int:
    """Take all layers and the early state through the rows; return how many were taken.

    One after the other: each is a short loop, of which the processor has several rows at work.
    """
    if count == 0:
        return 0
    d = abs(load(t, XS) - load(t, RECENT_1))
    step = load(t, STEP)
    store(t, STEP, choose((d > 0.0) & (d < step), d, step))
    count = _levels(t, onsets, which, lanes, count, day, early, rules)
    if count == 0:
        return 0
    _cells(t, count, rules)
    known = not (_news(t, onsets, which, lanes, count) or some(load(t, FRESH) > 0.0))
    if not known:
        _patterns(t, count, rules)
    _evidence(t, count, known, early, rules)
    last = (count - 1) * LANES
    recent = load(t, XS + last), load(t, RECENT_1 + last), load(t, RECENT_2 + last)
    store(t, RECENT_1, recent[0])
    store(t, RECENT_2, recent[1])
    store(t, RECENT_3, recent[2])
    return count


@lean
def take(
    onsets: Any, which: Any, offset: Any, base: Any, lanes: int, clock: NDArray[np.int64], r: int,
    rows: int, early_days: int, cells: NDArray[np.float64], odds: NDArray[np.float64], t: Any,
    rules: Any,
) -> int:  # fmt: skip
    """Take rows of up to eight signals from row `r` of their blocks on; return how many.

    `which`, `offset`, `base` (8,): their records, where their readings and odds begin, and the
    first row of the block; where there are fewer signals than lanes, the last one again. `rows`: of
    each block; `t`: the table.
    """
    day = clock[base[0] + r, 1]
    early = day < early_days
    if not settled(which, base, onsets, clock, r, lanes, early_days, rules):
        return 0
    for j in range(LANES):
        fill(t, j, onsets[which[j]], clock[base[j] + r, 0])
    at = r
    while True:
        count = ahead(t, base, clock, r, at, rows, early)
        lay(t, offset, at, count, cells)
        took = _readings(t, onsets, which, lanes, count, day, early, rules)
        if took == 0:
            break
        hand_out(t, offset, at, took, lanes, odds)
        count_on(t, which, onsets, lanes, day, took, early)
        at += took
        if took < count:
            break
    for j in range(lanes if at > r else 0):
        keep(t, j, onsets[which[j]], clock[base[j] + r, 0], early)
    return at - r
