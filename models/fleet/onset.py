"""How surprising a reading is to its own signal, compiled: the layers behind onset alarms.

Each layer gives a surprise without a unit; its own running upper tail turns it into an exponent of
a probability; the exponents are added, and half-forgotten from row to row, so that two strange rows
count for more than one. Nothing here knows what a fault is. While a machine's day is not known the
watch weighs the evidence by how far the signal has gone (`models.fleet.early`).

* *level*: the mean of four readings against a slow, clipped mean, in mean absolute deviations;
* *season*: the reading against what the same half hour of the day has brought, each half hour
  with a spread of its own;
* *pattern*: how often, lately, the reading and two earlier ones, five and ten readings ago, made a
  triple never seen before; the triples seen are bits of a set.

Where nothing clips yet (at power-up, after a long gap, on a first day) a reading is learned as a
tame one (`tamed`): one absurd reading must not hide what comes in the next weeks. Where a signal's
very first readings prove absurd it begins again (`falsely_begun`).

Only element-wise IEEE operations enter the state, row by row, so any cut of the stream gives the
same bits. Once the layers of four signals have settled, `models.fleet.settled` takes them side by
side with the same arithmetic: what changes here changes there.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

import math
from typing import Any, Final

import numpy as np

from models.fleet.layout import MOST
from models.life.compiled import lean

LAYERS: Final = 3
SEASONS: Final = 48  #: parts of a day
CELLS: Final = 13  #: cells of a signal's range, for the pattern; odd, so that a mirror fits
MIDDLE: Final = 6
WORDS: Final = 35  #: 64-bit words that hold one bit for each of CELLS^3 triples
PAST: Final = 16  #: cells remembered; more than the longer lag, a power of two
LAGS: Final = (5, 10)
LEVEL: Final = 0  #: places of the layers
SEASON: Final = 1
PATTERN: Final = 2
NOTHING: Final = 1e-9  #: less is none; numbers near the smallest cost a hundredfold
WILD: Final = 64.0  #: deviations; where nothing else clips yet, a reading counts as no farther off
PROVEN: Final = 4  #: readings from which on the first ones may prove absurd
FALSE: Final = 256.0  #: times the spread is too wide: less is forgotten by `onset_rows`
HUGE: Final = 3e38  #: the most that is kept of a part of the day, in single precision
TOP: Final = 3.75  #: three standard deviations of normal noise, in mean absolute deviations


@lean
def _share(rows: float, least: float) -> float:
    """Return the share of the next row in a mean: of all rows at first, later at least `least`."""
    return least if (rows + 1.0) * least >= 1.0 else 1.0 / (rows + 1.0)


@lean
def tamed(o: Any, x: float, rules: Any) -> float:
    """Return a reading as it is learned where nothing is known to clip it at.

    It counts as at most `WILD` deviations off the level, or as many as the middle one of the last
    three readings is off (a running median: Tukey, Exploratory data analysis, 1977); once a level
    is known as the nearest of them, so that two absurd ones in a row teach little, too.
    """
    if o.rows < 3:
        return x
    a, b, c = abs(x - o.level), abs(o.recent[0] - o.level), abs(o.recent[1] - o.level)
    last = min(a, b, c) if o.rows >= rules.warm_rows else max(min(a, b), min(max(a, b), c))
    reach = WILD * max(o.spread, last, 0.5 * o.step if o.step < np.inf else 0.0)
    if reach == 0.0:
        return x
    return float(min(max(x, o.level - reach), o.level + reach))


@lean
def falsely_begun(o: Any, x: float, rules: Any) -> bool:
    """Whether a signal's first readings prove absurd; then all begins again at this one.

    It lies together with two of the three before it, so closely that the spread so far is by far
    not theirs; nor is it that of many: one or two so far off, all others here, have this mean.
    """
    if o.rows < PROVEN or o.rows >= rules.warm_rows + 4:
        return False
    a, b, c = o.recent[0], o.recent[1], o.recent[2]
    near = min(_range(x, a, b), _range(x, a, c), _range(x, b, c))
    step = 0.5 * o.step if o.step < o.high - o.low else 0.0  # two values: none is known
    if o.spread <= FALSE * max(near, step):
        return False
    if abs(o.level - x) * o.rows > 2.5 * max(o.high - x, x - o.low):
        return False
    begin(o, x)
    o.spread = o.around = o.noise = 0.0
    o.visits[:], o.middle[:], o.width[:] = 0, 0.0, 0.0
    o.base = o.quick = x
    o.block_sum = x * o.block_rows
    return True


@lean
def _range(a: float, b: float, c: float) -> float:
    return max(a, b, c) - min(a, b, c)


@lean
def _tail(o: Any, layer: int, s: float, least: float, rules: Any) -> float:
    """Return the exponent of a surprise under an exponential tail, then learn quantile and scale.

    Peaks over a running 95 % quantile (stochastic approximation, Robbins and Monro, Ann. Math.
    Stat. 22, 1951) with exponential excesses, as in Siffer et al., KDD 2017, with shape 0. The
    scale is known from the excesses so far only, so what counts is the predictive tail (Lomax),
    with k ln(1 + u/k) as u / (1 + u/2k), its first Padé approximant: no logarithm, one division.
    """
    seen = o.seen[layer] + 1.0
    if seen <= rules.tail_rows and s > WILD:
        return 0.0  # absurd, and no tail begins so far out
    o.seen[layer] = min(o.seen[layer] + 1, MOST)
    scale = o.scale[layer]
    if seen <= rules.tail_rows:
        o.edge[layer] = max(o.edge[layer], s)
        o.scale[layer] = max(scale, least, 0.25 * s)
        return 0.0
    rate = rules.tail_rate
    if seen * rate < 1.0:
        rate = 1.0 / seen
    excess = s - o.edge[layer]
    if excess <= 0.0:
        o.edge[layer] = max(0.0, o.edge[layer] - 0.5 * rate * scale)
        return 0.0
    known = 1.0 + 0.05 * seen
    share = max(rules.tail_share, 1.0 / (1.0 + known))
    twice = 2.0 * known
    o.scale[layer] = max(least, scale + share * (min(excess, rules.tail_clip * scale) - scale))
    o.edge[layer] += 9.5 * rate * scale
    return float(excess * twice / (scale * twice + excess))


@lean
def _season(o: Any, slot: int, day: int, x: float, tame: float, least: float, rules: Any) -> float:
    """Return the distance from what this part of the day is like, in its spread, and learn.

    -1 on the first day. The spread is at least a quarter of that of all parts. Both are kept in
    single precision, the middle as it lies from the first reading.
    """
    visits = o.visits[slot]
    centre, kept = np.float64(o.middle[slot]), np.float64(o.width[slot])
    width = max(kept, 0.25 * o.around, least)
    r = x - (o.origin + centre)
    s = -1.0
    if visits >= 2 and day >= 1 and width > 0.0:
        s = abs(r) / width
    if visits < rules.season_rows:
        visits += 1
        o.visits[slot] = visits
    if visits > 4:
        top = TOP * width
        r = min(max(r, -top), top)
    else:
        r = tame - (o.origin + centre)
    o.middle[slot] = max(min(centre + r * (1.0 / visits), HUGE), -HUGE)
    if visits > 1:
        o.around += _share(o.rows, rules.spread_share) * (abs(r) - o.around)
        o.width[slot] = min(kept + (abs(r) - kept) * (1.0 / (visits - 1)), HUGE)
    return float(s)


@lean
def _cell(o: Any, x: float, rules: Any) -> int:
    """Return the cell of the signal's range that a reading falls into; the range grows with it.

    The more rows it comes from the less one row widens it: cells that move make known triples look
    new, and one absurd reading must not hide all that follow.
    """
    wide = o.high - o.low
    reach = np.inf
    if o.rows > rules.warm_rows and wide > 0.0:
        reach = wide * min(1.0, rules.range_rows / o.rows)
    if x > o.high:
        o.high = min(x, o.high + reach)
    elif x < o.low:
        o.low = max(x, o.low - reach)
    wide = o.high - o.low
    if wide < 1.5 * o.step or wide <= 0.0:  # two values only: no pattern
        return MIDDLE
    off = (x - 0.5 * (o.low + o.high)) * ((CELLS - 1.0) / wide)
    away = math.ceil(min(abs(off), MIDDLE) - 0.5 - 1e-6)
    return int(MIDDLE + away if off > 0.0 else MIDDLE - away)


@lean
def triple(cell: int, first: int, second: int) -> int:
    """Return the number of a triple of cells."""
    return (int(cell) * CELLS + int(first)) * CELLS + int(second)


@lean
def unseen(o: Any, number: int) -> bool:
    """Keep a triple; return whether it was never seen before."""
    place = number >> 6
    bit = np.uint64(1) << np.uint64(number & 63)
    word = o.triples[place]
    if word & bit != np.uint64(0):
        return False
    o.triples[place] = word | bit
    return True


@lean
def _pattern(o: Any, cell: int, rules: Any) -> float:
    """Return the share of triples never seen before among the last few, and keep this one."""
    n = o.rows
    o.cell[n & (PAST - 1)] = cell
    if n < LAGS[1]:
        return -1.0
    past = o.cell[(n - LAGS[0]) & (PAST - 1)], o.cell[(n - LAGS[1]) & (PAST - 1)]
    new = 1.0 if unseen(o, triple(cell, past[0], past[1])) else 0.0
    fresh = o.fresh + rules.pattern_share * (new - o.fresh)
    if fresh < NOTHING:
        fresh = 0.0
    o.fresh = fresh
    return float(fresh)


@lean
def begin(o: Any, x: float) -> None:
    """Set what the first reading of a signal sets."""
    o.level = o.low = o.high = o.origin = x
    o.step = np.inf
    for i in range(3):
        o.recent[i] = x


@lean
def _level(o: Any, x: float, tame: float, least: float, rules: Any) -> float:
    """Return how far the mean of four readings is off the slow mean, -1 unknown, and learn."""
    sigma = max(o.spread, least)
    s = -1.0
    r = x - o.level
    if o.since >= rules.warm_rows and sigma > 0.0:
        mean = 0.25 * ((x + o.recent[0]) + (o.recent[1] + o.recent[2]))
        s = abs(mean - o.level) / sigma
        r = min(max(r, -TOP * sigma), TOP * sigma)
    elif o.since < rules.warm_rows:
        r = tame - o.level
    o.recent[2], o.recent[1], o.recent[0] = o.recent[1], o.recent[0], x
    if o.since == 0 and x != tame:  # a new level, or absurd: the next reading says which
        o.since = -1
    else:
        o.level += _share(o.since, rules.level_share) * r
    o.spread += _share(o.rows, rules.spread_share) * (abs(r) - o.spread)
    return float(s)


@lean
def surprise(o: Any, slot: int, day: int, x: float, tame: float, rules: Any) -> float:
    """Return the evidence after a reading that something changed, and learn the reading.

    `tame`: what `tamed` makes of it; `slot`, `day`: part of the day and day since the machine's
    first row. The evidence is in units of -ln(probability) over the root of the number of layers;
    0 while too little is known.
    """
    n = o.rows
    if n == 0:
        begin(o, x)
    d = abs(x - o.recent[0])
    if d > 0.0:
        o.step = min(o.step, d)
    least = max(0.5 * o.step if o.step < np.inf else 0.0, 1e-12 * abs(o.level))
    total = 0.0
    s = _level(o, x, tame, least, rules)
    if s >= 0.0:
        total += _tail(o, LEVEL, s, rules.level_least, rules)
    s = _season(o, slot, day, x, tame, least, rules)
    if s >= 0.0:
        total += _tail(o, SEASON, s, rules.season_least, rules)
    s = _pattern(o, _cell(o, x if n > rules.warm_rows else tame, rules), rules)
    if s >= 0.0:
        total += _tail(o, PATTERN, s, rules.pattern_least, rules)
    o.rows = n + 1
    o.since = min(o.since + 1, MOST)
    if o.since <= rules.settle_rows:
        total = 0.0  # after a start or a long gap everything is new
    evidence = o.evidence + rules.evidence_share * (total * rules.layer_weight - o.evidence)
    o.evidence = evidence if evidence >= NOTHING else 0.0
    return float(o.evidence) if o.rows > rules.onset_rows else 0.0
