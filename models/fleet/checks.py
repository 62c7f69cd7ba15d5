"""Checks on one signal, compiled: limits, votes, notices. See `models.fleet.kernel`."""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any

import numpy as np

from models.fleet.layout import (
    AGAIN,
    ALARM_HIGH,
    ALARM_LOW,
    ALERT_HIGH,
    ALERT_LOW,
    BEYOND,
    CONDITION,
    DROPOUT,
    LEVEL,
    NEVER,
    ONSET_ALARM,
    RATE,
    SHIFT,
    STUCK,
    UNTIMED,
)
from models.fleet.silence import drawn, receipt
from models.life.compiled import lean

ALARM_BITS = (1 << ALARM_HIGH) | (1 << ALARM_LOW)
ALERT_BITS = (1 << ALERT_HIGH) | (1 << ALERT_LOW)
LIMIT_BITS = ALARM_BITS | ALERT_BITS
SHIFTED = 0.3  #: how bad a signal in a lasting shift is at least
FIRST = 4  #: readings of a context that explain nothing yet
SENSOR_BITS = (1 << RATE) | (1 << STUCK) | (1 << DROPOUT)


@lean
def set_condition(lane: Any, check: int, on: bool) -> None:
    """Begin or end a condition; what tells of it knows when (`models.fleet.since`)."""
    bit = 1 << check
    if ((lane.active & bit) != 0) != on:
        lane.active ^= bit
        lane.changed |= bit
        if check != DROPOUT:
            lane.changed &= ~UNTIMED


@lean
def vote(lane: Any, bound: Any, check: int, hit: bool) -> None:
    """N of the last M rows begin a condition, as many end it; a shift register remembers them."""
    active = (lane.active >> check) & 1
    register = lane.register[check]
    if register == 0 and not hit and active == 0:
        return
    full = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bound.window)
    register = (register << np.uint64(1)) & full
    if hit:
        register |= np.uint64(1)
    lane.register[check] = register
    count = 0
    while register != 0:
        register &= register - np.uint64(1)
        count += 1
    if active == 0 and count >= bound.need:
        set_condition(lane, check, True)
    elif active == 1 and count <= min(bound.window - bound.need, bound.need - 1):
        set_condition(lane, check, False)


@lean
def usual_after(usual_s: float, seconds: float) -> Any:
    """Return the usual interval after one more, which counts as a quarter to four times of it."""
    return drawn(usual_s, max(seconds, 0.25 * usual_s))


@lean
def timing(lane: Any, bound: Any, t: int, received: int, x: float, seconds: float) -> None:
    """Learn the usual intervals and the resolution; vote on the rate, find a stuck sensor."""
    d = abs(x - lane.last)
    usual = lane.interval_s
    if seconds > 0.0:
        if usual == 0.0:
            lane.interval_s = -seconds
        elif seconds != usual:
            if usual < 0.0:  # the first reading may be far older than all others
                usual = min(-usual, 4.0 * seconds)
            lane.interval_s = usual_after(usual, seconds)
        if bound.rate < np.inf:
            vote(lane, bound, RATE, d > bound.rate * seconds)
    if d > 0.0:
        lane.same_ns = t
        lane.step = min(lane.step, d)
    if bound.stuck_ns < NEVER:
        set_condition(lane, STUCK, t - lane.same_ns >= bound.stuck_ns)
    receipt(lane, t, received)


@lean
def limits(lane: Any, bound: Any, x: float) -> None:
    """A limit counts as reached at `>=`; while active it ends only clearly inside."""
    back = lane.spread
    if lane.armed == 1:
        high = min(abs(bound.alert_high - lane.mean), abs(bound.alarm_high - lane.mean))
        low = min(abs(bound.alert_low - lane.mean), abs(bound.alarm_low - lane.mean))
        back = min(back, 0.25 * min(high, low))
    a = lane.active
    for check, limit in ((ALERT_HIGH, bound.alert_high), (ALARM_HIGH, bound.alarm_high)):
        if limit < np.inf:
            on = (a >> check) & 1
            vote(lane, bound, check, x >= limit - (back if on else 0.0))
    for check, limit in ((ALERT_LOW, bound.alert_low), (ALARM_LOW, bound.alarm_low)):
        if limit > -np.inf:
            on = (a >> check) & 1
            vote(lane, bound, check, x <= limit + (back if on else 0.0))


@lean
def learning(lane: Any, x: float, rules: Any) -> float:
    """Return the share of a reading in the level, which begins at the first one learned."""
    known = lane.learned
    if known == 0:
        lane.level = lane.fast = x
    if known * rules.level_share >= 1.0:
        return float(rules.level_share)
    lane.learned = known + 1
    return float(1.0 / (known + 1.0))


@lean
def follow(lane: Any, x: float, rules: Any) -> bool:
    """Follow the level of a context, wherever it goes; return whether the reading leapt there.

    One that did, far off and far from the one before it, or one of the very first, explains
    nothing: were it absurd, all references of the machine would learn from it. If the context goes
    on there, its next one explains. `models.fleet.quiet` looks for leaps in the same way.
    """
    known = lane.learned
    share = learning(lane, x, rules)
    r = x - lane.level
    reach = rules.suspicious * max(1.2533 * lane.spread, 1e-12 * abs(lane.level))
    leapt = known < FIRST or (abs(r) > reach and abs(x - lane.last) > reach)
    lane.fast += rules.fast_share * (x - lane.fast)
    lane.level += share * r
    lane.spread += share * (abs(r) - lane.spread)
    return bool(leapt)


@lean
def level(lane: Any, x: float, absurd: bool, rules: Any) -> bool:
    """Follow the adaptive level and the fast mean; a reading counts as at most `clip` sigma off.

    So one teaches little, and a spread that is far too narrow still widens from row to row.

    Returns whether the reading leapt there: far off, and far from the one before it, or `absurd`,
    as the watch says of the first ones.
    """
    if absurd and lane.learned < rules.warm_rows:
        return True
    known = lane.learned
    share = learning(lane, x, rules)
    r = x - lane.level
    leapt = False
    if known < rules.warm_rows:
        lane.fast += max(rules.fast_share, share) * (x - lane.fast)
    else:
        step = 0.5 * lane.step if lane.step < np.inf else 0.0
        sigma = max(1.2533 * lane.spread, step, 1e-12 * abs(lane.level))
        lane.fast += rules.fast_share * (x - lane.fast)
        if sigma > 0.0:
            far = rules.suspicious * sigma
            leapt = abs(r) > far and (absurd or abs(x - lane.last) > far)
            top = rules.clip * sigma
            r = min(max(r, -top), top)
    lane.level += share * r
    lane.spread += share * (abs(r) - lane.spread)
    return bool(leapt)


@lean
def notice(lane: Any, t: int, odds: float, flags: int, rules: Any) -> None:
    """Begin the notice of an onset on the signals beyond the limit; end it after a while.

    A machine raises few alarms, the fewer the longer it is known. So onsets that come back are
    counted by `BEYOND`: three within a week, once the healthy reference is complete. The readings
    of a notice are counted by `models.fleet.kernel`, in whatever role.
    """
    if flags & ONSET_ALARM and odds >= 1.0:
        set_condition(lane, LEVEL, True)
        lane.notice = int(rules.notice_rows)
    elif lane.active & (1 << LEVEL) and lane.notice == 0:
        set_condition(lane, LEVEL, False)
    if flags & BEYOND and odds >= 1.0 and lane.frozen == 1:
        earlier = lane.beyond_ns[0]
        if earlier != 0 and t - earlier <= rules.again_span_s * 1e9:
            set_condition(lane, AGAIN, True)
        lane.beyond_ns[0] = lane.beyond_ns[1]
        lane.beyond_ns[1] = t
    elif lane.active & (1 << AGAIN) and t - lane.beyond_ns[1] > rules.again_span_s * 1e9:
        set_condition(lane, AGAIN, False)


@lean
def known(lane: Any, rules: Any) -> float:
    """How much is known of a signal, 0..1: nothing of a bad sensor, a quarter of one just heard.

    While its own healthy reference grows, sisters who lend theirs count for a third of it.
    """
    if lane.active & SENSOR_BITS:
        return 0.0
    if lane.role != CONDITION or lane.armed == 1:
        return 1.0
    age = (lane.last_ns - lane.first_ns) * 1e-9
    own = min(lane.count / rules.reference_rows, age / rules.reference_span_s, 1.0)
    return float(0.25 + 0.75 * max(own, rules.lent if lane.lent > 0 else 0.0))


@lean
def wear(lane: Any, bound: Any) -> float:
    """How bad a signal is, 0..1: how far on the way to its limit, and what is active."""
    bad = 0.0
    if lane.armed == 1:
        way = 0.0
        if not np.isnan(bound.goal_high) and bound.goal_high > lane.mean:
            way = (lane.fast - lane.mean - lane.sigma) / (bound.goal_high - lane.mean)
        if not np.isnan(bound.goal_low) and bound.goal_low < lane.mean:
            way = max(way, (lane.mean - lane.fast - lane.sigma) / (lane.mean - bound.goal_low))
        way = min(max(way, 0.0), 1.0)
        bad = 0.5 * way * way
    if lane.active & ALARM_BITS:
        bad = max(bad, 0.8)
    if lane.active & ALERT_BITS:
        bad = max(bad, 0.5)
    if lane.active & (1 << SHIFT):
        bad = max(bad, SHIFTED)
    return bad
