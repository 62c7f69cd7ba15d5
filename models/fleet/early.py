"""The state of fault before the daily cycle is known: a fast reference of one signal, compiled.

The slow reference (`models.fleet.reference`) knows what is healthy only after three full days.
Until then this holds a reading that stays away from where the signal was: against a clipped running
mean that stands still while the state lasts. A signal that wanders by itself is allowed to: how far
the means of blocks of rows move from one another is learned, and counts as noise (a local-level
model: Harvey, Forecasting, structural time series models and the Kalman filter, 1989, chapter 2).
The more often it was looked at, the further away it must be, or every signal would be away one day:
the square of the distance grows with the logarithm of the rows (Robbins, Statistical methods
related to the law of the iterated logarithm, Ann. Math. Stat. 41, 1970).

How far a signal is on that way also weighs the evidence of an onset while the day is not known: a
step that is small beside what the signal does by itself is no news, however rare.
"""

import math
from typing import Any

from models.fleet.layout import MOST
from models.life.compiled import lean

BLOCK = 32  #: rows of a block mean
LAG = 2  #: blocks between the means that are compared
MOVES = 16  #: so many of them are told apart
FREE = 3.0  #: moves that are learned as they are: nothing is known to clip them at
NOISE = 1.25  #: standard deviations in a mean absolute deviation of normal noise


@lean
def block_done(o: Any, heard: int, rules: Any) -> None:
    """Learn how far the means of blocks move, and how far away is too far after so many rows."""
    rows = max(heard, 1000) * 1e-3
    o.reach = math.sqrt(1.0 + rules.early_growth * math.log(rows))
    mean = o.block_sum / BLOCK
    if o.blocks >= LAG:
        o.moves = min(o.moves + 1, MOVES)
        move = abs(mean - o.block_mean[o.blocks % LAG])
        if o.moves > FREE:
            move = min(move, 4.0 * o.wander)
        o.wander += max(0.125, 1.0 / o.moves) * (move - o.wander)
    o.block_mean[o.blocks % LAG] = mean
    _new_blocks(o)
    o.blocks = o.blocks + 1 if o.blocks + 1 < 2 * LAG else LAG


@lean
def _new_blocks(o: Any) -> None:
    o.block_sum = 0.0
    o.block_rows = 0


@lean
def stay(o: Any, x: float, tame: float, rules: Any) -> float:
    """Take a reading: enter the state, hold it or leave it (`o.early`), and learn if healthy.

    The layers have had it (`models.fleet.onset`). A state that lasts for most of what was ever seen
    of the signal is its new normal. Returns how far the signal is on the way to the state: 1 where
    it begins, 0 while unknown.
    """
    way = 0.0
    n = o.rows - 1
    if n == 0:
        o.base = o.quick = x
    o.known = min(o.known + 1, MOST)
    if n < rules.warm_rows:
        x = tame
    r = x - o.base
    o.quick += rules.early_fast * (x - o.quick)
    noise = NOISE * o.noise
    sigma = noise + rules.early_wander * o.wander
    if n >= rules.early_rows and sigma > 0.0 and o.moves >= 2.0:
        away, begins = abs(o.quick - o.base), sigma * o.reach
        way = away / begins
        if o.early == 0:
            if away > begins:
                o.early = 1
                o.early_since = n
        elif (
            away < rules.early_off * sigma
            or n - o.early_since > rules.early_longest * o.early_since
        ):
            if away >= rules.early_off * sigma:
                o.base = o.quick
                o.known = int(1.0 / rules.early_share)
            o.early = 0
            _new_blocks(o)
            o.blocks = 0
        if o.early == 1:
            return float(way)
    o.block_sum += x if o.moves > FREE else tame
    o.block_rows += 1
    if o.block_rows == BLOCK:
        block_done(o, o.rows, rules)
    if n >= rules.warm_rows:
        r = min(max(r, -3.0 * noise), 3.0 * noise)
    share = max(rules.early_share, 1.0 / o.known)
    o.base += share * r
    o.noise += share * (abs(r) - o.noise)
    return float(way)
