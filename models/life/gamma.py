"""The band of a part's life from its wear and rate, compiled.

Wear that only grows crosses its limit later than t just when it is below the limit at t. For a
gamma process the time then follows the Birnbaum-Saunders distribution (Park and Padgett, Lifetime
Data Analysis 11, 2005), whose quantiles need roots alone. What is not known of the rate and of the
use to come adds to its variance; what is not known of the present wear shifts both ends.

A rate that stays alike for a while varies less over a time as short as that: the mean over a time t
of a process whose correlation falls by e in m has 1 - m/t (1 - exp(-t/m)) of the variance that
white noise of the same strength has; here t / (t + 2 m), as good for short and for long times.
"""

from typing import Any, Final

import numpy as np

from models.life.compiled import part

WIDEST: Final = 4.0  #: relative variance at which a band says no more: a ninth to nine times
NORMAL_90: Final = 1.2816  #: 90 % quantile of the normal distribution


@part
def stretched(variance: Any) -> Any:
    """Return by how much the 90 % quantile is longer than the median, for a relative variance."""
    half = 0.5 * NORMAL_90 * np.sqrt(variance)
    root = half + np.sqrt(half * half + 1.0)
    return root * root


@part
def passage(s: Any, c: Any, use: Any) -> Any:
    """Return (p10, p50, p90) in s until the wear is 1.

    `use` (4,) holds the use a second; the variance over one second of the use to come by its mean,
    s; the relative variance of the first itself; and by how much an end may be off within its day,
    s (standard deviation).
    """
    per_s = use[0]
    left = 1.0 - s.w
    if left <= 0.0:
        return 0.0, 0.0, 0.0
    tau = left / s.r
    likely = tau / per_s
    varies = c.diffusion * s.r * s.r / (tau + 2.0 * c.memory)
    rate_var = s.rr + 2.0 * max(s.wr, 0.0) / tau + varies
    relative = rate_var / (s.r * s.r) + use[2] + use[1] / likely
    x = stretched(min(relative, WIDEST))
    worn_s = np.sqrt(s.ww + c.limit_var) / (s.r * per_s)
    level = NORMAL_90 * np.sqrt(worn_s * worn_s + use[3] * use[3])
    late = likely * (x - 1.0)
    early = likely * (1.0 - 1.0 / x)
    p10 = max(likely - np.sqrt(early * early + level * level), 0.0)
    return p10, likely, likely + np.sqrt(late * late + level * level)
