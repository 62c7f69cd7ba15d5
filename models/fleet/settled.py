"""The watch over four signals abreast, once their layers have settled, compiled.

`take` copies what the watch knows of four signals into a table (field, signal), takes rows with the
same arithmetic in the same order as one reading at a time (`models.fleet.onset`, `early`), and
stops before a row that is of another kind: nothing was read, another part of the day, a signal that
begins to stay away. Both ways give the same bits: the tests compare blocks with single rows.
"""
# ruff: noqa: PLR0915, PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.early import NOISE
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
from models.fleet.vectors import (
    LANES,
    choose,
    every,
    larger,
    load,
    single,
    smaller,
    some,
    store,
    upwards,
)
from models.fleet.watched import (
    AROUND,
    BASE,
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
NEARLY = 1.0 - 1e-12  #: less than the rounding of two products


@inlined
def _tail(s: Any, edge: Any, scale: Any, seen: Any, young: bool, least: float, rules: Any) -> Any:
    """Return exponent, edge and scale after a surprise, as `onset._tail` does."""
    excess = s - edge
    hit = excess > 0.0
    known = 1.0 + 0.05 * seen
    twice = 2.0 * known
    exponent = excess * twice / (scale * twice + excess)
    share = every(rules.tail_share)
    if young:
        share = larger(share, 1.0 / (1.0 + known))
    wider = scale + share * (smaller(excess, rules.tail_clip * scale) - scale)
    up = edge + 9.5 * rules.tail_rate * scale
    down = larger(0.0, edge - 0.5 * rules.tail_rate * scale)
    zero = every(0.0)
    return (
        choose(hit, exponent, zero),
        choose(hit, up, down),
        choose(hit, larger(least, wider), scale),
    )


@inlined
def _rated(
    far: Any, wide: Any, edge: Any, scale: Any, seen: Any, young: bool, least: float, rules: Any
) -> Any:
    """Return what `_tail` does of `far / wide`; most rows are not beyond the edge, and no division.

    Where the product is not beyond by more than its rounding the quotient is not either.
    """
    if some(far > edge * wide * NEARLY):
        return _tail(far / wide, edge, scale, seen, young, least, rules)
    return every(0.0), larger(0.0, edge - 0.5 * rules.tail_rate * scale), scale


@inlined
def _young(t: Any, layer: int, rules: Any) -> bool:
    """Whether so little is known of a layer's tail that its share still comes down."""
    known = 1.0 + 0.05 * (load(t, SEEN + layer * LANES) + 1.0)
    return bool(some((1.0 + known) * rules.tail_share < 1.0 + 1e-9))


@inlined
def _news(t: Any, onsets: Any, which: Any, lanes: int) -> bool:
    """Keep the triples of a row; note which are new (NEWS), and return whether there are any."""
    found = False
    for j in range(lanes):
        if unseen(onsets[which[j]], int(t[TRIPLE + j]) & MOST):
            t[NEWS + j] = 1.0
            found = True
    for j in range(lanes, LANES if found else lanes):  # the last signal again
        t[NEWS + j] = t[NEWS + lanes - 1]
    return found


@lean
def _readings(
    t: Any, onsets: Any, which: Any, lanes: int, count: int, day: int, early: bool, rules: Any
) -> int:
    """Take all layers and the early state through the rows; return how many were taken."""
    step, slow, spread = load(t, STEP), load(t, SLOW), load(t, SPREAD)
    recent_1, recent_2, recent_3 = load(t, RECENT_1), load(t, RECENT_2), load(t, RECENT_3)
    low, high, around = load(t, LOW), load(t, HIGH), load(t, AROUND)
    centre, width, visits = load(t, CENTRE), load(t, WIDTH), load(t, VISITS)
    origin = load(t, ORIGIN)
    base, quick, noises, block_sum = load(t, BASE), load(t, QUICK), load(t, NOISES), load(t, SUM)
    edge_l, scale_l = load(t, EDGE + LEVEL * LANES), load(t, SCALE + LEVEL * LANES)
    edge_s, scale_s = load(t, EDGE + SEASON * LANES), load(t, SCALE + SEASON * LANES)
    wander, reach = rules.early_wander * load(t, WANDER), load(t, REACH)
    edge_p, scale_p = load(t, EDGE + PATTERN * LANES), load(t, SCALE + PATTERN * LANES)
    fresh, evidence = load(t, FRESH), load(t, EVIDENCE)
    share, even, zero = rules.level_share, 1.0 / rules.early_even, every(0.0)
    rows, wide_share = load(t, HEARD), every(rules.spread_share)
    learning = some((rows + 1.0) * wide_share < 1.0)
    young_l, young_s = _young(t, LEVEL, rules), _young(t, SEASON, rules)
    young_p, lately = _young(t, PATTERN, rules), some(fresh > 0.0)
    wide, half = high - low, 0.5 * step
    noise = begins = away = zero
    flat = (wide < 1.5 * step) | (wide <= 0.0)  # two values only: no pattern
    centred, finer = 0.5 * (low + high), (CELLS - 1.0) / wide
    inverse, inverse_1 = 1.0 / visits, 1.0 / (visits - 1.0)
    growing = some(visits < rules.season_rows)
    r = 0
    while r < count:
        x = load(t, XS + r * LANES)
        if early:
            next_quick = quick + rules.early_fast * (x - quick)
            noise = NOISE * noises
            begins = (noise + wander) * reach
            away = abs(next_quick - base)
            if some(~(away <= begins)):
                break
            quick = next_quick
        elif some(~(x - x == 0.0)):  # nothing was read
            break
        d = abs(x - recent_1)
        finer_step = (d > 0.0) & (d < step)
        if some(finer_step):
            step = choose(finer_step, d, step)
            half = 0.5 * step
            flat = (wide < 1.5 * step) | (wide <= 0.0)
        least = larger(half, 1e-12 * abs(slow))
        if learning:
            share_of = 1.0 / (rows + (r + 1.0))
            wide_share = choose(
                (rows + (r + 1.0)) * rules.spread_share >= 1.0, every(rules.spread_share), share_of
            )
        # level
        sigma = larger(spread, least)
        rest = x - slow
        mean = 0.25 * ((x + recent_1) + (recent_2 + recent_3))
        recent_1, recent_2, recent_3 = x, recent_1, recent_2
        far = abs(mean - slow)
        top = TOP * sigma
        rest = smaller(larger(rest, 0.0 - top), top)
        slow = slow + share * rest
        spread = spread + wide_share * (abs(rest) - spread)
        seen = load(t, SEEN + LEVEL * LANES) + (r + 1.0)
        total, edge_l, scale_l = _rated(
            far, sigma, edge_l, scale_l, seen, young_l, rules.level_least, rules
        )
        # season
        wideness = larger(larger(width, 0.25 * around), least)
        rest = x - (origin + centre)
        if day > 0:
            seen = load(t, SEEN + SEASON * LANES) + (r + 1.0)
            more, edge_s, scale_s = _rated(
                abs(rest), wideness, edge_s, scale_s, seen, young_s, rules.season_least, rules
            )
            total = total + more
        if growing:
            visits = choose(visits < rules.season_rows, visits + 1.0, visits)
            inverse, inverse_1 = 1.0 / visits, 1.0 / (visits - 1.0)
        top = TOP * wideness
        rest = smaller(larger(rest, 0.0 - top), top)
        centre = single(larger(smaller(centre + rest * inverse, HUGE), -HUGE))
        around = around + wide_share * (abs(rest) - around)
        width = single(smaller(width + (abs(rest) - width) * inverse_1, HUGE))
        # pattern
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
        cell = choose(off > 0.0, MIDDLE * 1.0 + steps, MIDDLE * 1.0 - steps)
        cell = choose(flat, every(MIDDLE * 1.0), cell)
        at = CELL + r * LANES
        store(t, at, cell)
        first, second = load(t, at - LAGS[0] * LANES), load(t, at - LAGS[1] * LANES)
        store(t, TRIPLE, (cell * float(CELLS) + first) * float(CELLS) + second)
        new = _news(t, onsets, which, lanes)
        if new or lately:
            fresh = fresh + rules.pattern_share * (load(t, NEWS) - fresh)
            fresh = choose(fresh < NOTHING, zero, fresh)
            seen = load(t, SEEN + PATTERN * LANES) + (r + 1.0)
            more, edge_p, scale_p = _tail(
                fresh, edge_p, scale_p, seen, young_p, rules.pattern_least, rules
            )
            total = total + more
            lately = some(fresh > 0.0)
            store(t, NEWS, zero)
        else:
            edge_p = larger(0.0, edge_p - 0.5 * rules.tail_rate * scale_p)
        evidence = evidence + rules.evidence_share * (total * rules.layer_weight - evidence)
        evidence = choose(evidence >= NOTHING, evidence, zero)
        out = evidence
        # early state
        if early:
            out = evidence * (smaller(away / begins, 1.0) * even)
            block_sum = block_sum + x
            rest = x - base
            top = 3.0 * noise
            rest = smaller(larger(rest, 0.0 - top), top)
            base = base + rules.early_share * rest
            noises = noises + rules.early_share * (abs(rest) - noises)
        store(t, OUT + r * LANES, out)
        r += 1
    store(t, STEP, step)
    store(t, SLOW, slow)
    store(t, SPREAD, spread)
    store(t, RECENT_1, recent_1)
    store(t, RECENT_2, recent_2)
    store(t, RECENT_3, recent_3)
    store(t, LOW, low)
    store(t, HIGH, high)
    store(t, AROUND, around)
    store(t, CENTRE, centre)
    store(t, WIDTH, width)
    store(t, VISITS, visits)
    store(t, EDGE + LEVEL * LANES, edge_l)
    store(t, SCALE + LEVEL * LANES, scale_l)
    store(t, EDGE + SEASON * LANES, edge_s)
    store(t, SCALE + SEASON * LANES, scale_s)
    store(t, EDGE + PATTERN * LANES, edge_p)
    store(t, SCALE + PATTERN * LANES, scale_p)
    store(t, FRESH, fresh)
    store(t, EVIDENCE, evidence)
    store(t, BASE, base)
    store(t, QUICK, quick)
    store(t, NOISES, noises)
    store(t, SUM, block_sum)
    return r


@lean
def take(
    onsets: Any, which: Any, offset: Any, lanes: int, clock: NDArray[np.int64], r: int,
    early_days: int, cells: NDArray[np.float64], odds: NDArray[np.float64], strongest: Any, t: Any,
    rules: Any,
) -> int:  # fmt: skip
    """Take rows of up to four signals from row `r` of a block on; return how many.

    `which`, `offset` (4,): their records and where their readings and odds begin; where there are
    fewer signals than lanes, the last one again. `strongest`: evidence of each row; `t`: the table.
    """
    slot, day = clock[r, 0], clock[r, 1]
    early = day < early_days
    if not settled(which, onsets, clock, r, lanes, early, rules):
        return 0
    for j in range(LANES):
        fill(t, j, onsets[which[j]], slot)
    store(t, NEWS, every(0.0))
    at = r
    while True:
        count = ahead(t, which, onsets, clock, r, at, lanes, early)
        lay(t, offset, at, count, cells)
        took = _readings(t, onsets, which, lanes, count, day, early, rules)
        if took == 0:
            break
        hand_out(t, offset, at, took, lanes, odds, strongest)
        count_on(t, which, onsets, lanes, day, took, early, rules)
        at += took
        if took < count:
            break
    for j in range(lanes if at > r else 0):
        keep(t, j, onsets[which[j]], slot, early)
    return at - r
