"""How much a part will be used: weeks, weekdays, seasons."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.life.use import recent_use, season_total, season_until, week_shares, week_until

DAY = 86_400.0
MONDAY = datetime(2026, 1, 5, tzinfo=UTC).timestamp()


def office(days: int, spread: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times (unix s, every 8 h) and pages of a counter: 100 a day, none at weekends."""
    chance = np.random.default_rng(seed)
    daily = 100.0 * np.exp(spread * chance.standard_normal(days)) * (np.arange(days) % 7 < 5)
    times = MONDAY + np.arange(3 * days + 1) * DAY / 3
    return times, np.interp((times - MONDAY) / DAY, np.arange(days + 1), np.r_[0, daily.cumsum()])


def in_week(ends: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return seconds of the calendar for seconds of mean use, from the counter's newest on."""
    shares = np.ones(7)
    week_shares(times, values, 0.0, shares)
    return np.array([week_until(float(times[-1]), float(end), shares) for end in ends])


def test_the_rate_is_of_whole_weeks() -> None:
    for days in (14, 19, 20, 21, 33):
        rate, _, _ = recent_use(*office(days), 0.4)
        assert rate * DAY == pytest.approx(500 / 7, rel=0.01)


def test_the_spread_of_the_weeks_is_learned() -> None:
    steady = recent_use(*office(126), 0.4)
    wild = recent_use(*office(126, 0.8), 0.4)
    assert steady[1] < 0.5 * 0.4**2 * DAY < wild[1]
    assert steady[2] < wild[2]


def test_too_little_says_nothing() -> None:
    times, values = office(1)
    assert recent_use(times, values, 0.4)[0] == 0.0
    assert recent_use(times[:0], values[:0], 0.4)[0] == 0.0


def test_a_weekend_does_not_count() -> None:
    times, values = office(26)  # ends on a Friday evening
    mean = np.array([500 / 7, 0.0, 0.0])
    hundred_pages = 100 / (500 / 7) * DAY
    ends = np.array([0.5 * hundred_pages, hundred_pages, 5 * hundred_pages])
    assert mean[0] > 0
    np.testing.assert_allclose(in_week(ends, times, values) / DAY, [2.5, 3.0, 7.0], atol=0.35)


def test_without_a_pattern_all_days_are_alike() -> None:
    times, values = office(3)
    ends = np.array([1.0, 2.5, 30.25]) * DAY
    np.testing.assert_allclose(in_week(ends, times, values) / DAY, [1.0, 2.5, 30.25])


@settings(deadline=None)
@given(
    start=st.floats(0, 4e9),
    mean=st.floats(60.0, 3e8),
    season=st.floats(0.0, 0.9),
    peak=st.floats(0, 365),
)
def test_a_season_is_left_as_it_was_entered(
    start: float, mean: float, season: float, peak: float
) -> None:
    end = season_until(start, mean, season, peak)
    used = season_total(start + end, season, peak) - season_total(start, season, peak)
    assert used == pytest.approx(mean, rel=1e-6, abs=0.1)


def test_winter_uses_more() -> None:
    peak = 14.0
    winter = season_total(MONDAY + 20 * DAY, 0.25, peak) - season_total(MONDAY, 0.25, peak)
    assert winter / DAY == pytest.approx(25.0, abs=0.1)
    summer = MONDAY + 182 * DAY
    cool = season_total(summer + 20 * DAY, 0.25, peak) - season_total(summer, 0.25, peak)
    assert cool / DAY == pytest.approx(15.0, abs=0.1)
