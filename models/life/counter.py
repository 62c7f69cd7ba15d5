"""Life from use: rated units of a counter, used up at the rate of its own past."""

from typing import Final

import numpy as np

from models.life.predictor import Band, Past
from models.profile import Consumable

NORMAL_90: Final = 1.2816  #: 90 % quantile of the normal distribution
MIN_RATES: Final = 4  #: fewer intervals say nothing about how use varies
RECENT_S: Final = 28 * 86_400.0  #: four weeks: as many weekends as weekdays need


class CounterLife:
    """Rated use divided by the rate of use, with a band from how that rate varied.

    The rate until the end is a mean over many intervals, so its spread is that of one interval by
    the square root of their number, plus the uncertainty of the mean itself.
    """

    def predict(self, past: Past, part: Consumable) -> Band | None:
        """Return the band; None when the part has no counter or no rated life."""
        if part.counter is None or part.rated is None:
            return None
        left = max(part.rated - past.value, 0.0)
        fraction = min(max(left / part.rated, 0.0), 1.0)
        if left == 0.0:
            return Band(p10_s=0.0, p50_s=0.0, p90_s=0.0, fraction=0.0)
        unknown = Band(p10_s=None, p50_s=None, p90_s=None, fraction=fraction)
        recent = past.times_s >= past.now_s - RECENT_S
        times, used = past.times_s[recent], past.values[recent]
        if len(times) <= MIN_RATES:
            return unknown
        spans, steps = np.diff(times), np.diff(used)
        total = float(times[-1] - times[0])
        rate = float(used[-1] - used[0]) / total
        if rate <= 0.0:
            return unknown
        likely = left / rate
        # variance of the rate over one second's worth of interval, from all intervals alike
        variance = float(np.mean((steps - rate * spans) ** 2 / spans))
        spread = float(np.sqrt(variance * (1.0 / total + 1.0 / max(likely, float(spans[-1])))))
        fast = rate + NORMAL_90 * spread
        slow = max(rate - NORMAL_90 * spread, 0.25 * rate)
        return Band(
            p10_s=left / fast, p50_s=likely, p90_s=left / slow, fraction=fraction, slope_per_s=rate
        )
