"""The protocol of life predictors and the table of those that come with forewarn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.profile import Consumable

GROUP: Final = "forewarn.life"  #: entry points of other packages


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a signal: points from the oldest to the newest.

    Shapes: `times_s` (n,) increasing, `values` (n,) in the signal's unit (a counter's usage since
    the part was new). Newer points lie closer together than old ones. `now_s` and `value` are the
    newest reading.
    """

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]
    now_s: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Time until the limit, s: reached before with 10, 50 and 90 % probability.

    All three are None while nothing can be said. `fraction` runs from 1 (new) to 0 (used up).
    """

    p10_s: float | None
    p50_s: float | None
    p90_s: float | None
    fraction: float | None
    slope_per_s: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is a band at all."""
        return self.p50_s is not None


class LifePredictor(Protocol):
    """Says how long a part will last. Pure: the same past gives the same band, bit for bit."""

    def predict(self, past: Past, part: Consumable) -> Band | None:
        """Return the band, or None when the part has not what this predictor needs."""
        ...


#: basis -> where its predictor is
PREDICTORS: Final[Mapping[str, str]] = {
    "trend": "models.life.trend:TrendLife",
}
