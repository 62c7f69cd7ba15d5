"""Life from use: the rated units of a counter, used up at the rate of its own past."""

import numpy as np

from models.life import online
from models.life.predictor import Band, Past
from models.life.wiener import WEAR
from models.profile import Consumable


class CounterLife:
    """What the fleet says of a part that only a counter counts, from a whole past at once.

    The band has the spread of such parts' lives, how use varied, and how well its mean is known
    (`models.life.use`, `models.life.gamma`). Weekdays need a calendar, which a past has not.
    """

    def predict(self, past: Past, part: Consumable) -> Band | None:
        """Return the band; None when the part has no counter or no rated life."""
        if part.counter is None or part.rated is None:
            return None
        wears, usual = np.zeros(1, WEAR), online.usual(part)
        used = max(past.value, 0.0) / part.rated
        online.start(wears, 0, usual, 0, used, True)
        use = np.array([*online.recent(past.times_s, past.values, part.varies), 0.0])
        per_s = float(use[0])
        use[0] /= part.rated
        out = np.zeros(5)
        online.band(wears, 0, usual, 0, used, use, out)
        fraction = float(out[3])
        if per_s <= 0.0 and fraction > 0.0:
            return Band(p10_s=None, p50_s=None, p90_s=None, fraction=fraction)
        return Band(
            p10_s=float(out[0]),
            p50_s=float(out[1]),
            p90_s=float(out[2]),
            fraction=fraction,
            slope_per_s=per_s if fraction > 0.0 else None,
        )
