"""Life from wear: the robust trend of an indicator until its failure limit.

The slope is the median of all pairwise slopes (Theil 1950; Sen, JASA 63, 1968) with Sen's
confidence band from Kendall's statistic. Wear gets faster with age, so old points would make every
estimate late: the shortest recent stretch is taken that fixes the slope well enough, and how the
slope changed since the stretch before it tells the acceleration.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.compiled import entry
from models.life.predictor import Band, Past
from models.profile import Consumable

STRETCHES: Final = (8, 12, 16, 24, 32, 48, 64)  #: points; their spacing grows with age
MIN_SPAN_S: Final = 2.5 * 86_400.0  #: a shorter stretch mistakes a warm afternoon for wear
SIGNIFICANT: Final = 3.0  #: Kendall's z: one false trend in 700 estimates
SEN_80: Final = (
    1.9  #: 10 % on either side (1.28), times 1.5: neighbours are alike, the best is picked
)
WIDEST: Final = 1.0  #: the slope's band may be as wide as the slope
MODEL_ERROR: Final = 0.15  #: even an exact slope is extrapolated: the band is at least this wide
MOST_BEND: Final = 3.0  #: acceleration shortens the time to a quarter at most
IN_SIGHT: Final = 10.0  #: nothing is said beyond ten times the stretch that was looked at


class TrendLife:
    """Time to the limit along a Theil-Sen trend that may bend towards it."""

    def predict(self, past: Past, part: Consumable) -> Band | None:
        """Return the band; None when the part has no indicator or limit."""
        if part.indicator is None or part.limit is None:
            return None
        sign = 1.0 if part.worse == "high" else -1.0
        return until(past.times_s, sign * past.values, past.now_s, sign * part.limit)


def until(
    times_s: NDArray[np.float64], values: NDArray[np.float64], now_s: float, limit: float
) -> Band:
    """Return the time until values (n,) that grow with wear reach a limit."""
    count = len(times_s)
    if count < STRETCHES[0]:
        return Band(p10_s=None, p50_s=None, p90_s=None, fraction=None)
    newest = float(np.median(values[-3:]))
    start = float(np.median(values[: STRETCHES[0]]))
    fraction = None
    if limit > start:
        fraction = min(max((limit - newest) / (limit - start), 0.0), 1.0)
    if newest >= limit:
        return Band(p10_s=0.0, p50_s=0.0, p90_s=0.0, fraction=0.0)
    unknown = Band(p10_s=None, p50_s=None, p90_s=None, fraction=fraction)
    span_s = min(MIN_SPAN_S, float(times_s[-1] - times_s[0]))
    for points in STRETCHES:
        if points > count:
            break
        t, v = times_s[-points:], values[-points:]
        if t[-1] - t[0] < span_s:
            continue
        slope, low, high, z = sen(t, v)
        if z < SIGNIFICANT or low <= 0.0 or high - low > WIDEST * slope:
            continue
        level = max(float(np.median(v - slope * (t - now_s))), newest)
        if level >= limit:
            return Band(p10_s=0.0, p50_s=0.0, p90_s=0.0, fraction=fraction, slope_per_s=slope)
        middle = float(np.median(v))
        bend = _bend(times_s, values, points, slope, middle)
        likely = _reach(limit, level, middle, slope, bend)
        if likely > IN_SIGHT * (now_s - t[0]):
            return unknown
        early = min(_reach(limit, level, middle, high, 2.0 * bend), likely * (1.0 - MODEL_ERROR))
        late = max((limit - level) / low, likely * (1.0 + MODEL_ERROR))
        return Band(p10_s=early, p50_s=likely, p90_s=late, fraction=fraction, slope_per_s=slope)
    return unknown


def _bend(
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    points: int,
    slope: float,
    middle: float,
) -> float:
    """Return how the slope grew with the level since the stretch before the last `points`.

    In 1/unit and never below 0: the slope is taken to grow with (1 + bend·rise)².
    """
    before = slice(max(len(times_s) - 2 * points, 0), len(times_s) - points)
    rise = middle - float(np.median(values[before])) if len(times_s[before]) else 0.0
    if len(times_s[before]) < STRETCHES[0] or rise <= 0.0:
        return 0.0
    was = max(sen(times_s[before], values[before])[0], 0.0)
    return max(slope - was, 0.0) / (2.0 * slope * rise)


def _reach(limit: float, level: float, middle: float, slope: float, bend: float) -> float:
    """Return the time s from `level` to `limit` when the slope was `slope` at `middle`."""
    bend = min(bend, MOST_BEND / (limit - middle))
    far, near = limit - middle, level - middle
    return (far / (1.0 + bend * far) - near / (1.0 + bend * near)) / slope


@entry
def sen(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Return the median pairwise slope, its 80 % band and Kendall's z of points (n,)."""
    n = len(times)
    slopes = np.empty(n * (n - 1) // 2)
    k = 0
    balance = 0
    for i in range(n):
        for j in range(i + 1, n):
            d = values[j] - values[i]
            slopes[k] = d / (times[j] - times[i])
            balance += 1 if d > 0.0 else (-1 if d < 0.0 else 0)
            k += 1
    slopes.sort()
    sd = np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    half = SEN_80 * sd / 2.0
    low = max(int(k / 2.0 - half), 0)
    high = min(int(k / 2.0 + half) + 1, k - 1)
    middle = 0.5 * (slopes[(k - 1) // 2] + slopes[k // 2])
    return middle, slopes[low], slopes[high], (balance - 1.0 if balance > 0 else 0.0) / sd
