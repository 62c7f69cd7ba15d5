"""Rows in, state forward: the compiled core. Everything is decided row by row.

So the stream may be cut anywhere: one row at a time or a million give the same bits. `run` stops at
each row that has something to tell; the caller reads the state and lets it go on. Only element-wise
IEEE operations and square roots enter the state. The functions share one file because of the cache
of machine code (see `models.life.compiled`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import (
    ALARM,
    ALARM_HIGH,
    ALARM_LOW,
    ALERT,
    ALERT_HIGH,
    ALERT_LOW,
    CHANGED,
    CONDITION,
    CONTEXT,
    CONTEXTS,
    COUNTER,
    DETECTOR,
    DROPOUT,
    ESTIMATE,
    LEARNING,
    LEVEL,
    LEVELS,
    MOVED,
    NEVER,
    NORMAL,
    RATE,
    SAMPLES,
    SHIFT,
    SILENT,
    STUCK,
    UNKNOWN,
)
from models.life.compiled import compiled

LIMIT_BITS = (1 << ALERT_HIGH) | (1 << ALARM_HIGH) | (1 << ALERT_LOW) | (1 << ALARM_LOW)
ALARM_BITS = (1 << ALARM_HIGH) | (1 << ALARM_LOW)
ALERT_BITS = (1 << ALERT_HIGH) | (1 << ALERT_LOW)
SENSOR_BITS = (1 << RATE) | (1 << STUCK) | (1 << DROPOUT)
PER_LEVEL = 8  #: points of one width in a history


@compiled
def _set(lane: Any, check: int, on: bool, t: int) -> None:
    """Begin or end a condition."""
    bit = 1 << check
    if ((lane.active & bit) != 0) != on:
        lane.active ^= bit
        lane.changed |= bit
        lane.since_ns[check] = t


@compiled
def _vote(lane: Any, check: int, hit: bool, t: int) -> None:
    """N of the last M rows begin a condition, as many end it; a shift register remembers them."""
    full = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - lane.window)
    register = (lane.register[check] << np.uint64(1)) & full
    if hit:
        register |= np.uint64(1)
    lane.register[check] = register
    active = (lane.active >> check) & 1
    if register == 0 and active == 0:
        return
    count = 0
    while register != 0:
        register &= register - np.uint64(1)
        count += 1
    if active == 0 and count >= lane.need:
        _set(lane, check, True, t)
    elif active == 1 and count <= min(lane.window - lane.need, lane.need - 1):
        _set(lane, check, False, t)


@compiled
def _limits(lane: Any, t: int, x: float) -> None:
    """A limit counts as reached at `>=`; while active it ends only clearly inside."""
    back = lane.spread
    if lane.armed == 1:
        back = min(
            back, 0.25 * abs(lane.alert_high - lane.mean), 0.25 * abs(lane.alarm_high - lane.mean)
        )
        back = min(
            back, 0.25 * abs(lane.alert_low - lane.mean), 0.25 * abs(lane.alarm_low - lane.mean)
        )
    a = lane.active
    for check, limit in ((ALERT_HIGH, lane.alert_high), (ALARM_HIGH, lane.alarm_high)):
        if limit < np.inf:
            on = (a >> check) & 1
            _vote(lane, check, x >= limit - (back if on else 0.0), t)
    for check, limit in ((ALERT_LOW, lane.alert_low), (ALARM_LOW, lane.alarm_low)):
        if limit > -np.inf:
            on = (a >> check) & 1
            _vote(lane, check, x <= limit + (back if on else 0.0), t)


@compiled
def _solve(lane: Any, k: int, rules: Any) -> None:
    """Fit what the contexts explain (ridge on standardised contexts) and the spread that is left.

    A Gauss elimination of at most 4 equations, written out so that it never depends on a library.
    """
    n = lane.count
    var = lane.sxx / n
    sd = np.sqrt(var)
    a = np.zeros((CONTEXTS, CONTEXTS + 1))
    for i in range(k):
        si = np.sqrt(lane.scc[i * CONTEXTS + i] / n)
        for j in range(k):
            sj = np.sqrt(lane.scc[j * CONTEXTS + j] / n)
            if si > 0.0 and sj > 0.0:
                a[i, j] = lane.scc[i * CONTEXTS + j] / n / (si * sj)
        a[i, i] = 1.0 + rules.ridge
        if si > 0.0 and sd > 0.0:
            a[i, k] = lane.sxc[i] / n / (si * sd)
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
        si = np.sqrt(lane.scc[i * CONTEXTS + i] / n)
        lane.slope[i] = a[i, k] * sd / si if si > 0.0 else 0.0
        explained += lane.slope[i] * lane.sxc[i] / n
    floor = rules.residual_floor * sd
    step = lane.step if lane.step < np.inf else 0.0
    sigma = max(np.sqrt(max(var - explained, 0.0)), floor, 0.5 * step, 1e-12 * abs(lane.mean))
    lane.sigma = sigma if lane.frozen == 1 else sigma * rules.provisional
    slack = rules.slack * lane.sigma
    for limit in (lane.alert_high, lane.alarm_high, lane.alert_low, lane.alarm_low):
        if np.isfinite(limit) and lane.sigma > 0.0:
            slack = max(slack, min(rules.material * abs(limit - lane.mean), 3.0 * slack))
    lane.slack = slack


@compiled
def _learn(lane: Any, m: Any, x: float) -> None:
    """Add one healthy row to the reference: mean, products with the contexts, their range."""
    lane.count += 1.0
    n = lane.count
    dx = x - lane.mean
    lane.mean += dx / n
    lane.sxx += dx * (x - lane.mean)
    k = m.contexts
    for i in range(k):
        c = m.context[i]
        if np.isnan(c):
            continue
        if n == 1.0 or np.isnan(lane.c_mean[i]):
            lane.c_mean[i] = c
            lane.c_low[i] = c
            lane.c_high[i] = c
        lane.c_low[i] = min(lane.c_low[i], c)
        lane.c_high[i] = max(lane.c_high[i], c)
        lane.sxc[i] += dx * (c - (lane.c_mean[i] + (c - lane.c_mean[i]) / n))
    for i in range(k):
        di = m.context[i] - lane.c_mean[i]
        if np.isnan(di):
            continue
        for j in range(k):
            dj = m.context[j] - lane.c_mean[j]
            if not np.isnan(dj):
                lane.scc[i * CONTEXTS + j] += di * dj * (n - 1.0) / n
    for i in range(k):
        di = m.context[i] - lane.c_mean[i]
        if not np.isnan(di):
            lane.c_mean[i] += di / n


@compiled
def _outside(lane: Any, m: Any, day: float) -> float:
    """How far the contexts are outside of what the reference has seen, in quarters of its range.

    The range follows within about a day, so that a new operating point becomes a known one.
    """
    far = 0.0
    for i in range(m.contexts):
        c = m.context[i]
        wide = 0.25 * (lane.c_high[i] - lane.c_low[i])
        if wide > 0.0 and c > lane.c_high[i] + wide:
            far += (c - lane.c_high[i]) / wide - 1.0
            lane.c_high[i] += day * (c - lane.c_high[i])
        elif wide > 0.0 and c < lane.c_low[i] - wide:
            far += (lane.c_low[i] - c) / wide - 1.0
            lane.c_low[i] += day * (c - lane.c_low[i])
    return far


@compiled
def _reference(lane: Any, m: Any, t: int, x: float, seconds: float, rules: Any) -> float:
    """Compare a row with the frozen healthy reference, then perhaps learn it. Returns odds."""
    if lane.count == 0.0:
        lane.first_ns = t
    odds = 0.0
    far = 0.0
    healthy = True
    lane.expected = lane.mean
    if lane.armed == 1:
        for i in range(m.contexts):
            d = m.context[i] - lane.c_mean[i]
            if not np.isnan(d):
                lane.expected += lane.slope[i] * d
        residual = x - lane.expected
        if m.contexts > 0:
            far = _outside(lane, m, min(seconds / 86_400.0, 1.0))
        top = rules.shift_clip * lane.sigma
        residual = min(max(residual, -top), top) / (1.0 + far)
        weight = min(seconds / rules.shift_span_s, 1.0)
        if lane.sigma > 0.0:
            weight /= lane.sigma
        cap = 2.0 * rules.shift_on
        lane.rise = min(cap, max(0.0, lane.rise + weight * (residual - lane.slack)))
        lane.fall = min(cap, max(0.0, lane.fall + weight * (-residual - lane.slack)))
        g = 0.0
        if lane.shifts == 1:
            g = max(lane.rise if lane.up == 1 else 0.0, lane.fall if lane.down == 1 else 0.0)
            if g >= rules.shift_on:
                _set(lane, SHIFT, True, t)
            elif g <= rules.shift_off:
                _set(lane, SHIFT, False, t)
            q = g / rules.shift_on
            odds = q * q
        healthy = abs(residual) < 3.0 * lane.sigma and g < 0.5 * rules.shift_on
    if lane.frozen == 0 or far > 0.0:
        if healthy:
            _learn(lane, m, x)
        _grow(lane, m, t, rules)
    return odds


@compiled
def _grow(lane: Any, m: Any, t: int, rules: Any) -> None:
    """Arm and freeze the reference when rows and time allow, and fit it again now and then."""
    age = (t - lane.first_ns) * 1e-9
    if lane.frozen == 0 and lane.armed == 1 and age >= rules.freeze_span_s:
        lane.frozen = 1
        lane.solve_at = 0.0
    arm = lane.armed == 0 and lane.count >= rules.reference_rows and age >= rules.reference_span_s
    if arm or (lane.armed == 1 and lane.count >= lane.solve_at):
        if arm:
            lane.armed = 1
            m.flags |= MOVED
        _solve(lane, m.contexts, rules)
        lane.solve_at = np.floor(lane.count * 1.125) + 1.0


@compiled
def _level(lane: Any, t: int, x: float, rules: Any) -> float:
    """Score against the adaptive level, then learn what is not suspicious. Returns odds."""
    odds = 0.0
    r = x - lane.level
    share = rules.level_share
    if lane.rows >= rules.warm_rows:
        step = lane.step if lane.step < np.inf else 0.0
        sigma = max(1.2533 * lane.spread, 0.5 * step, 1e-12 * abs(lane.level))
        lane.fast += rules.fast_share * (x - lane.fast)
        off = abs(lane.fast - lane.level)
        on = (lane.active >> LEVEL) & 1
        limit = rules.level_on * sigma
        _vote(lane, LEVEL, off > (0.5 * limit if on else limit), t)
        z = 0.0
        if sigma > 0.0:
            z = min(abs(r) / sigma, 1e6) / rules.half_score
        odds = z * z
        odds *= odds
        if abs(r) > rules.suspicious * sigma and sigma > 0.0:
            lane.level += share * min(max(r, -rules.clip * sigma), rules.clip * sigma)
            return odds
        if lane.rows < 256:
            share = 1.0 / lane.rows
        r = min(max(r, -rules.clip * sigma), rules.clip * sigma) if sigma > 0.0 else r
    else:
        share = 1.0 / (lane.rows + 1.0)
        lane.fast += max(rules.fast_share, share) * (x - lane.fast)
    lane.level += share * r
    lane.spread += share * (abs(r) - lane.spread)
    return odds


@compiled
def _wear(lane: Any) -> float:
    """How bad a signal is, 0..1: how far on the way to its limit, and what is active."""
    bad = 0.0
    if lane.armed == 1:
        way = 0.0
        if not np.isnan(lane.goal_high) and lane.goal_high > lane.mean:
            way = (lane.fast - lane.mean - lane.sigma) / (lane.goal_high - lane.mean)
        if not np.isnan(lane.goal_low) and lane.goal_low < lane.mean:
            way = max(way, (lane.mean - lane.fast - lane.sigma) / (lane.mean - lane.goal_low))
        bad = 0.7 * min(max(way, 0.0), 1.0)
    if lane.active & ALARM_BITS:
        return max(bad, 0.8)
    if lane.active & ALERT_BITS:
        bad = max(bad, 0.5)
    if lane.active & (1 << SHIFT):
        bad = max(bad, 0.3)
    return bad


@compiled
def _remember(h: Any, lane: Any, m: Any, t: int, x: float, rules: Any) -> None:
    """Keep the past of a signal as medians of buckets that get wider with age.

    A bucket is 8 usual intervals wide; of each width at most 9 are kept, then the two oldest become
    one of twice the width. So 160 points hold the last hours finely and years coarsely.
    """
    if h.counter == 1:
        if x < h.raw and not x < h.pending:  # lower twice: a reset or a new part, not a glitch
            h.base = h.base if x > 0.5 * h.raw else 0.0
            h.kept = 0
            h.points = 0
            for level in range(LEVELS):
                h.levels[level] = 0
        h.pending = x if x < h.raw else -np.inf
        if x < h.raw and h.points + h.kept > 0:
            return
        h.raw = x
        x -= h.base
    if h.width_ns == 0:
        if lane.rows < 8 or lane.interval_s <= 0.0:
            return
        h.width_ns = max(1, int(lane.interval_s * 8e9))
        h.first_ns = t
        h.end_ns = t + h.width_ns
    if t >= h.end_ns:
        if h.kept > 0:
            _close(h, m, t, rules)
        h.end_ns += ((t - h.end_ns) // h.width_ns + 1) * h.width_ns
    if h.kept < SAMPLES:
        h.sample[h.kept] = x
        h.kept += 1


@compiled
def _close(h: Any, m: Any, t: int, rules: Any) -> None:
    """Add the median of the finished bucket; ask for an estimate once 1/128 of the past is new."""
    k = h.kept
    for i in range(1, k):
        v = h.sample[i]
        j = i - 1
        while j >= 0 and h.sample[j] > v:
            h.sample[j + 1] = h.sample[j]
            j -= 1
        h.sample[j + 1] = v
    p = h.points
    h.time[p] = (h.end_ns - h.width_ns // 2 - h.first_ns) * 1e-9
    h.value[p] = 0.5 * (h.sample[(k - 1) // 2] + h.sample[k // 2])
    h.kept = 0
    p += 1
    h.levels[0] += 1
    first = p - h.levels[0]
    for level in range(LEVELS):
        if h.levels[level] <= PER_LEVEL:
            break
        last = level == LEVELS - 1
        if not last:
            h.time[first] = 0.5 * (h.time[first] + h.time[first + 1])
            h.value[first] = 0.5 * (h.value[first] + h.value[first + 1])
        for i in range(first if last else first + 1, p - 1):
            h.time[i] = h.time[i + 1]
            h.value[i] = h.value[i + 1]
        p -= 1
        h.levels[level] -= 1 if last else 2
        if not last:
            h.levels[level + 1] += 1
            first -= h.levels[level + 1] - 1
    h.points = p
    if t >= h.estimate_ns:
        age = min((t - h.first_ns) // 128, int(rules.report_every_s * 1e9))
        h.estimate_ns = t + max(h.width_ns, age)
        h.due = 1
        m.flags |= ESTIMATE


@compiled
def _row(lane: Any, m: Any, t: int, received: int, x: float, rules: Any) -> bool:
    """Take one reading of one signal; False when it is late and was only counted."""
    first = lane.rows == 0
    if not first and t < lane.last_ns:
        lane.late += 1
        return False
    seconds = 0.0 if first else (t - lane.last_ns) * 1e-9
    if first:
        lane.same_ns = t
        lane.level = x
        lane.fast = x
        m.due_ns = 0
        m.flags |= MOVED
    else:
        d = abs(x - lane.last)
        if seconds > 0.0:
            usual = lane.interval_s
            if usual == 0.0:
                lane.interval_s = seconds
            else:
                lane.interval_s += (min(max(seconds, 0.25 * usual), 4.0 * usual) - usual) / 16.0
            if lane.rate < np.inf:
                _vote(lane, RATE, d > lane.rate * seconds, t)
        if d > 0.0:
            lane.step = min(lane.step, d)
            lane.same_ns = t
        if lane.stuck_ns < NEVER:
            _set(lane, STUCK, t - lane.same_ns >= lane.stuck_ns, t)
        gap = (received - lane.received_ns) * 1e-9
        if gap > 0.0:
            lane.group_s += (
                (min(gap, 4.0 * lane.group_s) - lane.group_s) / 16.0 if lane.group_s > 0.0 else gap
            )
    if (
        lane.alert_high < np.inf
        or lane.alarm_high < np.inf
        or lane.alert_low > -np.inf
        or lane.alarm_low > -np.inf
    ):
        _limits(lane, t, x)
    _set(lane, DROPOUT, False, t)
    odds = 0.0
    if lane.role == CONDITION:
        odds = _level(lane, t, x, rules) + _reference(lane, m, t, x, seconds, rules)
    elif lane.role == CONTEXT:
        lane.level += (x - lane.level) * max(rules.level_share, 1.0 / (lane.rows + 1.0))
        lane.spread += (abs(x - lane.level) - lane.spread) * max(
            rules.level_share, 1.0 / (lane.rows + 1.0)
        )
        if lane.slot >= 0:
            m.context[lane.slot] = x
    elif lane.role == DETECTOR:
        z = min(x, 0.999999)
        odds = z / (1.0 - z) * 0.1
    if lane.active & ALARM_BITS:
        odds += 32.0
    elif lane.active & ALERT_BITS:
        odds += 4.0
    lane.odds = odds
    lane.last = x
    lane.last_ns = t
    lane.received_ns = max(received, lane.received_ns)
    lane.rows += 1
    if lane.role == CONDITION or lane.active & LIMIT_BITS or lane.bad_seen > 0.0:
        lane.bad = _wear(lane)
        if abs(lane.bad - lane.bad_seen) > 0.02:
            m.flags |= MOVED
    if lane.changed != 0:
        m.flags |= CHANGED
    return True


@compiled
def _silence(lanes: Any, m: Any, now: int, rules: Any) -> None:
    """Find the signals that have not been heard for too long, and when to look again."""
    due = NEVER
    i = m.first
    while i >= 0:
        lane = lanes[i]
        i = lane.next
        if lane.rows == 0 or lane.role == DETECTOR or lane.active & (1 << DROPOUT):
            continue
        wait = lane.dropout_ns
        if wait == 0:
            usual = lane.interval_s if m.data_clock == 1 else max(lane.interval_s, lane.group_s)
            wait = int(max(rules.dropout_min_s, rules.dropout_intervals * usual) * 1e9)
        heard = lane.last_ns if m.data_clock == 1 else lane.received_ns
        if now - heard > wait:
            _set(lane, DROPOUT, True, now)
            m.flags |= CHANGED
        else:
            due = min(due, heard + wait)
    m.due_ns = due


@compiled
def _judge(lanes: Any, m: Any, rules: Any) -> None:
    """Sum up a machine from its signals: state, health, coverage. Health moves in steps."""
    active, heard, dropped, conditions, armed = 0, 0, 0, 0, 0
    asked, covered, left = 0, 0.0, 1.0
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
        part = 1.0
        if lane.role == CONDITION:
            conditions += 1
            armed += lane.armed
            if lane.armed == 0:
                part = 0.25 + 0.75 * min(
                    lane.count / rules.reference_rows,
                    (lane.last_ns - lane.first_ns) * 1e-9 / rules.reference_span_s,
                    1.0,
                )
        covered += part
    m.coverage = covered / asked if asked > 0 else 0.0
    if abs(100.0 * left - m.health) >= rules.health_step or left == 1.0:
        m.health = 100.0 * left
    if heard == 0:
        m.state = UNKNOWN
    elif dropped == heard:
        m.state = SILENT
    elif active & ALARM_BITS:
        m.state = ALARM
    elif active & (ALERT_BITS | SENSOR_BITS | (1 << SHIFT)) or dropped > 0:
        m.state = ALERT
    elif conditions > 0 and 2 * armed < conditions:
        m.state = LEARNING
    else:
        m.state = NORMAL


@compiled
def _tell(lanes: Any, m: Any, rules: Any) -> bool:
    """Decide whether this row of a machine has something to tell."""
    flags = m.flags
    period = m.at_ns >= m.report_ns
    if flags == 0 and not period:
        return False
    m.flags = 0
    _judge(lanes, m, rules)
    moved = m.state != m.told_state or abs(m.health - m.told_health) >= rules.health_told
    if flags & CHANGED or moved or period:
        m.flags = CHANGED
        return True
    m.flags = flags & ESTIMATE
    return m.flags != 0


@compiled
def run(
    lanes: NDArray[Any],
    machines: NDArray[Any],
    histories: NDArray[Any],
    constants: NDArray[Any],
    items: NDArray[Any],
    layout: NDArray[np.int64],
    times: NDArray[np.int64],
    cells: NDArray[np.float64],
    scores: NDArray[np.float64],
    cursor: NDArray[np.int64],
) -> int:
    """Go on from the cursor (item, row) to the next row that tells something.

    Returns the machine's number, or -1 when all items are done. `cells` holds an item's columns one
    after the other; `layout` its lane numbers, contexts first, and which column each reads.
    """
    rules = constants[0]
    for i in range(cursor[0], items.shape[0]):
        item = items[i]
        if item.machine < 0:
            for k in range(cursor[1], machines.shape[0]):
                m = machines[k]
                if m.data_clock == 0 and item.at_ns > m.due_ns:
                    _silence(lanes, m, item.at_ns, rules)
                    if m.flags != 0 and _tell(lanes, m, rules):
                        m.at_ns = max(m.at_ns, item.at_ns)
                        m.n = item.n
                        cursor[0] = i
                        cursor[1] = k + 1
                        return k
            cursor[1] = 0
            continue
        m = machines[item.machine]
        for r in range(cursor[1], item.rows):
            t = times[item.first_row + r]
            odds = 0.0
            for j in range(item.columns):
                number = layout[item.first_column + 2 * j]
                column = layout[item.first_column + 2 * j + 1]
                lane = lanes[number]
                x = cells[item.first_cell + column * item.rows + r]
                if not np.isfinite(x):
                    lane.missing += 1
                    continue
                if _row(lane, m, t, item.at_ns, x, rules):
                    odds += lane.odds
                    if lane.history >= 0:
                        _remember(histories[lane.history], lane, m, t, x, rules)
            m.score = odds / (1.0 + odds)
            scores[item.first_row + r] = m.score
            m.rows += 1
            m.at_ns = max(m.at_ns, t)
            m.n = item.n
            if m.data_clock == 1 and m.at_ns > m.due_ns:
                _silence(lanes, m, m.at_ns, rules)
            if _tell(lanes, m, rules):
                cursor[0] = i
                cursor[1] = r + 1
                return int(item.machine)
        cursor[1] = 0
    cursor[0] = items.shape[0]
    return -1
