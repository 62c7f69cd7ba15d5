"""Bands: they cover what they promise, per stage of life, with censored units too."""

import numpy as np
import pytest

from models.life.learned.bands import calibrate


def _world(seed: int, n: int = 6_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    forecast = rng.uniform(20.0, 120.0, n)
    truth = np.maximum(forecast + rng.normal(0.0, 1.0, n) * (2.0 + 0.1 * forecast), 0.0)
    return forecast, truth


def test_coverage_holds_early_and_late_in_life() -> None:
    forecast, truth = _world(1)
    bands = calibrate(forecast, truth, np.ones(len(truth), bool), np.ones(len(truth)), 200.0)
    new, real = _world(2)
    low, middle, high = bands.around(new)
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
    weight = np.ones(len(truth))
    whole = calibrate(forecast, truth, np.ones(len(truth), bool), weight, 200.0)
    censored = calibrate(forecast, told, seen, weight, 200.0)
    naive = calibrate(forecast[seen], truth[seen], seen[seen], weight[seen], 200.0)
    at = 30
    assert abs(censored.high[at] - whole.high[at]) < abs(naive.high[at] - whole.high[at])


def test_the_width_swings_less_than_single_ranks_of_the_units_do() -> None:
    rng = np.random.default_rng(9)
    ours, ranks = [], []
    for _ in range(60):
        forecast = np.full(20, 50.0) + rng.normal(0.0, 0.1, 20)
        error = rng.normal(0.0, 5.0, 20)
        bands = calibrate(forecast, forecast + error, np.ones(20, bool), np.ones(20), 200.0)
        low, _, high = bands.around(np.array([50.0]))
        ours.append(float(high[0] - low[0]))
        ranks.append(np.ptp(np.quantile(error, [0.05, 0.95], method="inverted_cdf")))
    assert np.mean(ours) == pytest.approx(np.mean(ranks), rel=0.1)
    assert np.std(ours) < 0.95 * np.std(ranks)


def test_bands_stay_within_what_was_learned() -> None:
    forecast, truth = _world(5)
    bands = calibrate(
        forecast, np.minimum(truth, 50.0), np.ones(len(truth), bool), np.ones(len(truth)), 50.0
    )
    low, _, high = bands.around(np.array([-5.0, 0.0, 25.0, 60.0]))
    assert low.min() >= 0.0
    assert high.max() <= 50.0
