"""The frozen healthy reference of a signal and the sums that hold a lasting shift, compiled."""
# ruff: noqa: PLR0912, PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np

from models.fleet.checks import level, set_condition
from models.fleet.layout import ABSURD, CONTEXTS, MOST, MOVED, SHIFT
from models.fleet.terms import CENTRE, HIGHEST, LOWEST, SLOPE, WITH, at, two
from models.life.compiled import lean, part


@part
def _solve(lane: Any, bound: Any, ref: Any, terms: Any, k: int, rules: Any) -> None:
    """Fit what the contexts explain (ridge on standardised contexts) and the spread that is left.

    A Gauss elimination of at most 4 equations, written out so that it never depends on a library.
    """
    n = lane.count
    var = ref.sxx / n
    sd = np.sqrt(var)
    a = np.zeros((CONTEXTS, CONTEXTS + 1))
    for i in range(k):
        si = np.sqrt(terms[two(lane, i, i)] / n)
        for j in range(k):
            sj = np.sqrt(terms[two(lane, j, j)] / n)
            if si > 0.0 and sj > 0.0:
                a[i, j] = terms[two(lane, i, j)] / n / (si * sj)
        a[i, i] = 1.0 + rules.ridge
        if si > 0.0 and sd > 0.0:
            a[i, k] = terms[at(lane, WITH, i)] / n / (si * sd)
    for i in range(k):
        for r in range(i + 1, k):
            f = a[r, i] / a[i, i]
            for j in range(i, k + 1):
                a[r, j] -= f * a[i, j]
    explained = 0.0
    for i in range(k - 1, -1, -1):
        b = a[i, k]
        for j in range(i + 1, k):
            b -= a[i, j] * a[j, k]
        a[i, k] = b / a[i, i]
    for i in range(k):
        si = np.sqrt(terms[two(lane, i, i)] / n)
        slope = a[i, k] * sd / si if si > 0.0 else 0.0
        terms[at(lane, SLOPE, i)] = slope
        explained += slope * terms[at(lane, WITH, i)] / n
    floor = rules.residual_floor * sd
    step = lane.step if lane.step < np.inf else 0.0
    sigma = max(np.sqrt(max(var - explained, 0.0)), floor, 0.5 * step, 1e-12 * abs(lane.mean))
    lane.sigma = sigma if lane.frozen == 1 else sigma * rules.provisional
    lane.slack = rules.slack * lane.sigma
    way = np.inf
    for limit in (bound.alert_high, bound.alarm_high, bound.alert_low, bound.alarm_low):
        way = min(way, abs(limit - lane.mean))
    if way < np.inf:
        lane.slack = max(lane.slack, min(rules.material * way, 2.0 * lane.slack))
    if bound.indicates == 1:
        goal = bound.goal_high if np.isfinite(bound.goal_high) else bound.goal_low
        lane.slack = max(lane.slack, rules.material_wear * abs(goal - lane.mean))


@lean
def top(lane: Any, rules: Any) -> float:
    """Return how far off a row counts at most."""
    return float(max(rules.shift_clip * lane.sigma, lane.slack + 3.0 * lane.sigma))


@lean
def most(lane: Any) -> float:
    """Return how much one row counts at most, by how far it is off: 1 / sigma, 0 unknown."""
    return float(1.0 / lane.sigma if lane.sigma > 0.0 else 0.0)


@lean
def _learn(lane: Any, ref: Any, terms: Any, m: Any, x: float) -> None:
    """Add one healthy row to the reference: mean, products with the contexts, their range."""
    lane.count = min(lane.count + 1, MOST)
    n = float(lane.count)
    dx = x - lane.mean
    lane.mean += dx / n
    if lane.armed == 0 or m.contexts == 0:
        lane.expected = lane.mean
    ref.sxx += dx * (x - lane.mean)
    k = m.contexts
    for i in range(k):
        c = m.context[i]
        if np.isnan(c):
            continue
        centre, low, high = at(lane, CENTRE, i), at(lane, LOWEST, i), at(lane, HIGHEST, i)
        if n == 1.0 or np.isnan(terms[centre]):
            terms[centre] = terms[low] = terms[high] = c
        terms[low], terms[high] = min(terms[low], c), max(terms[high], c)
        terms[at(lane, WITH, i)] += dx * (c - (terms[centre] + (c - terms[centre]) / n))
    for i in range(k):
        di = m.context[i] - terms[at(lane, CENTRE, i)]
        if np.isnan(di):
            continue
        for j in range(i, k):
            dj = m.context[j] - terms[at(lane, CENTRE, j)]
            if not np.isnan(dj):
                terms[two(lane, i, j)] += di * dj * (n - 1.0) / n
    for i in range(k):
        di = m.context[i] - terms[at(lane, CENTRE, i)]
        if not np.isnan(di):
            terms[at(lane, CENTRE, i)] += di / n


@lean
def begin_again(lane: Any, ref: Any, terms: Any, rules: Any) -> None:
    """Forget what the first readings of a signal taught: they were absurd."""
    if lane.learned >= 2.0 * rules.warm_rows:
        return  # they were its first ones for the watch only
    lane.learned = lane.count = 0
    lane.step = np.inf
    lane.spread = lane.mean = ref.sxx = 0.0
    for i in range(lane.wide):
        terms[at(lane, CENTRE, i)] = np.nan
        terms[at(lane, WITH, i)] = 0.0
        for j in range(i, lane.wide):
            terms[two(lane, i, j)] = 0.0


@lean
def _outside(lane: Any, terms: Any, m: Any, day: float) -> float:
    """How far the contexts are outside of what the reference has seen, in quarters of its range.

    The range follows within about a day, so that a new operating point becomes a known one.
    """
    far = 0.0
    for i in range(m.contexts):
        c = m.context[i]
        low, high = terms[at(lane, LOWEST, i)], terms[at(lane, HIGHEST, i)]
        wide = 0.25 * (high - low)
        if wide > 0.0 and c > high + wide:
            far += (c - high) / wide - 1.0
            terms[at(lane, HIGHEST, i)] += day * (c - high)
        elif wide > 0.0 and c < low - wide:
            far += (low - c) / wide - 1.0
            terms[at(lane, LOWEST, i)] += day * (c - low)
    return far


@lean
def expect(lane: Any, terms: Any, m: Any) -> bool:
    """Set what the healthy reference expects now; False when a context that it needs is unknown."""
    known = True
    if m.contexts > 0:
        lane.expected = lane.mean
        for i in range(m.contexts):
            d = m.context[i] - terms[at(lane, CENTRE, i)]
            slope = terms[at(lane, SLOPE, i)]
            if not np.isnan(d):
                lane.expected += slope * d
            elif slope != 0.0:
                known = False
    return known


@lean
def compare(
    lane: Any,
    bound: Any,
    ref: Any,
    terms: Any,
    m: Any,
    t: int,
    x: float,
    seconds: float,
    strange: float,
    rules: Any,
    rest: Any,
) -> float:
    """Follow a row, compare it with the frozen healthy reference, perhaps learn it. Returns odds.

    Before there is a reference a reading that leapt far off (`models.fleet.checks.level`) is not
    learned: one that is absurd must not blind it, and a machine that goes on there is learned.
    While a context is not to be trusted the sums stand still: what it explains cannot be judged.
    `strange`: the watch's odds, or its mark of a first reading; `rest` (1,): what the contexts left
    of a reading that the pairs are to learn.
    """
    leapt = level(lane, x, strange == ABSURD, rules)
    if lane.count == 0:
        lane.first_ns = t
    odds = 0.0
    far = 0.0
    healthy = not leapt
    if lane.armed == 1:
        if not expect(lane, terms, m):
            return odds
        residual = x - lane.mean
        if m.contexts > 0:
            residual = x - lane.expected
            far = _outside(lane, terms, m, min(seconds / 86_400.0, 1.0))
        reach = top(lane, rules)
        residual = min(max(residual, -reach), reach)
        if far > 0.0:
            residual /= 1.0 + far
        whole = most(lane)
        weight = min(seconds * (whole / rules.shift_span_s), whole)
        cap = 2.0 * rules.shift_on
        if residual > lane.slack or lane.rise > 0.0:
            lane.rise = min(cap, max(0.0, lane.rise + weight * (residual - lane.slack)))
        if residual < -lane.slack or lane.fall > 0.0:
            lane.fall = min(cap, max(0.0, lane.fall - weight * (residual + lane.slack)))
        g = 0.0
        if lane.shifts == 1:
            if lane.up == 1:
                g = lane.rise
            if lane.down == 1:
                g = max(g, lane.fall)
            if g > 0.0:
                q = g * (1.0 / rules.shift_on)
                odds = q * q
            if lane.active & (1 << SHIFT):
                if g <= rules.shift_off:
                    set_condition(lane, SHIFT, False)
            elif g >= rules.shift_on:
                set_condition(lane, SHIFT, True)
        healthy = abs(residual) < 3.0 * lane.sigma and g < 0.5 * rules.shift_on
        if healthy and lane.frozen == 0:
            rest[0] = residual
    if lane.frozen == 0 or far > 0.0:
        if healthy:
            _learn(lane, ref, terms, m, x)
        _grow(lane, bound, ref, terms, m, t, rules)
    return odds


@lean
def _grow(lane: Any, bound: Any, ref: Any, terms: Any, m: Any, t: int, rules: Any) -> None:
    """Arm and freeze the reference when rows and time allow, and fit it again now and then."""
    age = (t - lane.first_ns) * 1e-9
    if lane.frozen == 0 and lane.armed == 1 and age >= rules.freeze_span_s:
        lane.frozen = 1
        ref.solve_at = 0.0
    arm = lane.armed == 0 and lane.count >= rules.reference_rows and age >= rules.reference_span_s
    if arm or (lane.armed == 1 and lane.count >= ref.solve_at):
        if arm:
            lane.armed = 1
            m.flags |= MOVED
        _solve(lane, bound, ref, terms, m.contexts, rules)
        ref.solve_at = np.floor(lane.count * 1.125) + 1.0
