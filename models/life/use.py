"""How much a part is used, and how much it will be: counters, seasons, days that differ. Compiled.

Where a counter counts, the use is its rate over whole weeks, so that weekends weigh as they should;
how single weeks differed, and before that the profile, tells how far the future may be off. Where
nothing counts, time itself does, by the season that the profile names.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.compiled import part

DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
YEAR_S: Final = 365.2425 * DAY_S
LONGEST_WEEKS: Final = 26  #: older use says little of the use to come
SHORTEST_S: Final = 2 * DAY_S
PRIOR_WEEKS: Final = 8.0  #: the profile's spread of use counts as so many weeks
UNEVEN: Final = 0.35  #: relative error of a rate from less than a week: weekends
PATTERN_WEEKS: Final = 3  #: from which the weekdays are learned
COARSE_S: Final = 1.6 * DAY_S  #: points further apart say nothing of single days
EVEN_WEEKS: Final = 0.3  #: that all days are alike counts as so many weeks
LEAST_SHARE: Final = 1e-3
TURN: Final = 2.0 * np.pi
EXACT_S: Final = 1e-3  #: nearer than that an end by the season is not looked for


@part
def value_at(times: NDArray[np.float64], values: NDArray[np.float64], t: float) -> Any:
    """Return a series (n,), n >= 1, at a time: by the line, level beyond the ends."""
    n = len(times)
    if t <= times[0]:
        return values[0]
    if t >= times[n - 1]:
        return values[n - 1]
    low, high = 0, n - 1
    while high - low > 1:
        middle = (low + high) // 2
        if times[middle] <= t:
            low = middle
        else:
            high = middle
    share = (t - times[low]) / (times[high] - times[low])
    return values[low] + share * (values[high] - values[low])


@part
def recent_use(
    times: NDArray[np.float64], values: NDArray[np.float64], varies: float
) -> tuple[float, float, float]:
    """Return (use a second, variance over a second by the mean, relative variance of the mean).

    `times` (n,) in s and `values` (n,) are a counter's past; `varies` is the profile's relative
    standard deviation of a day's use. The rate is 0 while there is too little to say.
    """
    n = len(times)
    prior = varies * varies * DAY_S
    if n < 2 or times[n - 1] - times[0] < SHORTEST_S:
        return 0.0, prior, 0.0
    end = times[n - 1]
    weeks = min(int((end - times[0]) / WEEK_S), LONGEST_WEEKS)
    if weeks == 0:
        span = end - times[0]
        rate = (values[n - 1] - values[0]) / span
        return rate, prior, UNEVEN * UNEVEN + prior / span
    span = weeks * WEEK_S
    rate = (values[n - 1] - value_at(times, values, end - span)) / span
    if rate <= 0.0:
        return 0.0, prior, 0.0
    total = PRIOR_WEEKS * prior
    newer = values[n - 1]
    for k in range(1, weeks + 1):
        older = value_at(times, values, end - k * WEEK_S)
        off = (newer - older) / (rate * WEEK_S) - 1.0
        total += off * off * WEEK_S
        newer = older
    variance = total / (PRIOR_WEEKS + max(weeks - 1, 0))
    return rate, variance, variance / span


@part
def week_shares(
    times: NDArray[np.float64], values: NDArray[np.float64], first_s: float, shares: Any
) -> None:
    """Write how much of the mean use each weekday has: 7 shares by day since 1970 (UTC) modulo 7.

    `times` (n,) in s since `first_s` (s since 1970 UTC) and `values` (n,) are a counter's past. All
    are 1 while there are weekdays of which nothing is known.
    """
    n = len(times)
    total, seen = np.zeros(7), np.zeros(7)
    today = int(np.floor((first_s + times[n - 1]) / DAY_S)) if n > 0 else 0
    at = n - 1
    for back in range(1, 7 * PATTERN_WEEKS + 1):
        begin = (today - back) * DAY_S - first_s
        if n == 0 or begin < times[0]:
            break
        while at > 0 and times[at - 1] > begin:
            at -= 1
        if times[at] - times[max(at - 1, 0)] > COARSE_S:
            break
        day = (today - back) % 7
        total[day] += value_at(times, values, begin + DAY_S) - value_at(times, values, begin)
        seen[day] += 1.0
    for day in range(7):
        if seen[day] == 0.0:
            shares[:] = 1.0
            return
        shares[day] = total[day] / seen[day]
    mean = shares.sum() / 7.0
    for day in range(7):
        known = seen[day] / (seen[day] + EVEN_WEEKS)
        shares[day] = known * shares[day] / mean + 1.0 - known if mean > 0.0 else 1.0


@part
def week_until(t_s: float, mean_s: float, shares: Any) -> Any:
    """Return the seconds from a time on in which `mean_s` seconds of mean use come together."""
    weeks = np.floor(mean_s / WEEK_S)
    left = mean_s - weeks * WEEK_S
    day = int(np.floor(t_s / DAY_S))
    rest = (day + 1) * DAY_S - t_s
    found = 0.0
    for _ in range(9):
        share = max(shares[day % 7], LEAST_SHARE)
        if share * rest >= left:
            return weeks * WEEK_S + found + left / share
        left -= share * rest
        found += rest
        day += 1
        rest = DAY_S
    return weeks * WEEK_S + found


@part
def _sine(turns: Any) -> Any:
    """Return the sine of an angle in turns, by sums and products alone: the same everywhere."""
    x = TURN * (turns - np.floor(turns + 0.5))
    square = x * x
    term = x
    total = x
    for k in range(1, 12):
        term *= -square / ((2.0 * k) * (2.0 * k + 1.0))
        total += term
    return total


@part
def season_total(t_s: float, season: float, peak_day: float) -> Any:
    """Return the seconds of mean use from the peak of 1970 to a time (s since 1970 UTC)."""
    since = t_s - peak_day * DAY_S
    return since + season * YEAR_S / TURN * _sine(since / YEAR_S)


@part
def season_until(t_s: float, mean_s: float, season: float, peak_day: float) -> Any:
    """Return the seconds from a time on in which `mean_s` seconds of mean use come together."""
    if season == 0.0:
        return mean_s
    goal = season_total(t_s, season, peak_day) + mean_s
    low, high = mean_s / (1.0 + season), mean_s / (1.0 - season)
    found = mean_s
    for _ in range(60):  # Newton's steps, halved where they leave the bracket
        over = season_total(t_s + found, season, peak_day) - goal
        if over < 0.0:
            low = found
        else:
            high = found
        since = t_s + found - peak_day * DAY_S
        step = over / (1.0 + season * _sine(since / YEAR_S + 0.25))
        after = found - step
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - found) < EXACT_S:
            return after
        found = after
    return found
