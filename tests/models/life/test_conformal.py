"""Bands: they cover what they promise, per stage of life, with censored units too."""

import numpy as np
import pytest

from models.life.learned.bands import Bands, calibrate


def _world(seed: int, n: int = 6_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    forecast = rng.uniform(20.0, 120.0, n)
    truth = np.maximum(forecast + rng.normal(0.0, 1.0, n) * (2.0 + 0.1 * forecast), 0.0)
    return forecast, truth


def _calibrated(
    forecast: np.ndarray,
    truth: np.ndarray,
    *,
    seen: np.ndarray | None = None,
    age: np.ndarray | float = 100.0,
    units: float | None = None,
    top: float = 200.0,
) -> Bands:
    """Return bands of rows that weigh alike, `units` in all; a typical life is 200."""
    n = len(truth)
    return calibrate(
        forecast,
        np.broadcast_to(age, n),
        truth,
        np.ones(n, bool) if seen is None else seen,
        np.full(n, (units or n) / n),
        top=top,
        typical=200.0,
    )


def test_coverage_holds_early_and_late_in_life() -> None:
    forecast, truth = _world(1)
    bands = _calibrated(forecast, truth)
    new, real = _world(2)
    low, middle, high = bands.around(new, np.full(len(new), 100.0))
    inside = (real >= low) & (real <= high)
    for lower in range(20, 120, 20):
        stage = (new >= lower) & (new < lower + 20)
        assert inside[stage].mean() == pytest.approx(0.9, abs=0.035)
        assert (real < low)[stage].mean() == pytest.approx(0.05, abs=0.025)
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_censored_rows_widen_the_band_as_the_truth_would() -> None:
    forecast, truth = _world(3)
    rng = np.random.default_rng(4)
    bound = forecast + rng.normal(10.0, 25.0, len(truth))
    seen = truth <= bound
    told = np.where(seen, truth, bound)
    whole, censored, naive = (
        one.around(np.array([90.0]), np.array([100.0]))[2][0]
        for one in (
            _calibrated(forecast, truth),
            _calibrated(forecast, told, seen=seen),
            _calibrated(forecast[seen], truth[seen]),
        )
    )
    assert abs(censored - whole) < abs(naive - whole)


def test_bands_stay_within_what_was_learned() -> None:
    forecast, truth = _world(5)
    bands = _calibrated(forecast, np.minimum(truth, 50.0), top=50.0)
    low, _, high = bands.around(np.array([-5.0, 0.0, 25.0, 60.0]), np.zeros(4))
    assert low.min() >= 0.0
    assert high.max() <= 50.0


def _aged(seed: int, n: int = 6_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return forecasts, ages and truths of which old ones are four times as uncertain."""
    rng = np.random.default_rng(seed)
    forecast, age = rng.uniform(60.0, 100.0, n), rng.uniform(0.0, 400.0, n)
    truth = forecast + rng.normal(0.0, 1.0, n) * np.where(age > 200.0, 20.0, 5.0)
    return forecast, age, truth


def test_coverage_holds_for_young_and_for_old_units() -> None:
    forecast, age, truth = _aged(6)
    bands = _calibrated(forecast, truth, age=age)
    new, aged, real = _aged(7)
    low, _, high = bands.around(new, aged)
    inside = (real >= low) & (real <= high)
    for young in (aged < 120.0, aged > 280.0):
        assert inside[young].mean() == pytest.approx(0.9, abs=0.035)


def test_few_units_near_the_age_lean_on_those_of_any_age() -> None:
    forecast, age, truth = _aged(8)
    at = np.array([80.0, 80.0]), np.array([40.0, 360.0])
    ratio = []
    for units in (2.0, 200.0):
        low, _, high = _calibrated(forecast, truth, age=age, units=units).around(*at)
        young, old = high - low
        ratio.append(old / young)
    assert 1.0 < ratio[0] < 0.7 * ratio[1]


def test_older_units_than_any_get_the_band_of_the_oldest() -> None:
    forecast, age, truth = _aged(9)
    bands = _calibrated(forecast, truth, age=age)
    low, _, high = bands.around(np.full(3, 80.0), np.array([0.9, 1.0, 5e9]) * age.max())
    assert (low[1], high[1]) == (low[2], high[2])
    assert (low[0], high[0]) != (low[1], high[1])
