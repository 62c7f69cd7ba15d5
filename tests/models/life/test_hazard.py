"""Weibull with right censoring, against lifelines."""

import numpy as np
import pytest

from models.life.hazard import learned, left, usual, weibull


def draws(shape: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ages and whether they ended; half are censored at random."""
    chance = np.random.default_rng(seed)
    lives, watched = 100 * chance.weibull(shape, count), 200 * chance.random(count)
    return np.minimum(lives, watched), lives <= watched


@pytest.mark.parametrize("shape", [0.8, 1.5, 4.0])
def test_the_fit_is_that_of_lifelines(shape: float) -> None:
    lifelines = pytest.importorskip("lifelines")
    ages, failed = draws(shape, 200, 4)
    oracle = lifelines.WeibullFitter().fit(ages, failed)
    found = weibull(ages, failed, np.ones(len(ages)))
    assert found == pytest.approx((oracle.rho_, oracle.lambda_), rel=1e-3)


def test_a_weight_is_as_many_parts() -> None:
    ages, failed = draws(2.0, 50, 1)
    twice = weibull(np.tile(ages, 2), np.tile(failed, 2), np.ones(100))
    assert weibull(ages, failed, np.full(50, 2.0)) == pytest.approx(twice)


def test_without_a_failure_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="at least one"):
        weibull(np.ones(3), np.zeros(3, bool), np.ones(3))


@pytest.mark.parametrize("spread", [0.15, 0.3, 0.5])
def test_the_usual_life_has_its_median_and_spread(spread: float) -> None:
    shape, scale = usual(400.0, spread)
    lives = scale * np.random.default_rng(0).weibull(shape, 100_000)
    assert np.median(lives) == pytest.approx(400.0, rel=0.01)
    assert lives.std() / lives.mean() == pytest.approx(spread, rel=0.12)


def test_the_fleet_corrects_the_profile() -> None:
    nothing = learned(400.0, 0.2, np.zeros(0), np.zeros(0, bool))
    assert left(0.0, *nothing).p50_s == pytest.approx(400.0, rel=0.03)
    early = learned(400.0, 0.2, np.full(30, 200.0), np.ones(30, bool))
    assert left(0.0, *early).p50_s == pytest.approx(220.0, rel=0.15)
    running = learned(400.0, 0.2, np.full(30, 600.0), np.zeros(30, bool))
    assert (left(0.0, *running).p50_s or 0.0) > 550.0


def test_bands_of_what_is_left_cover_what_they_say() -> None:
    chance = np.random.default_rng(5)
    shape, scale = usual(400.0, 0.3)
    lives = scale * chance.weibull(shape, 4_000)
    ages = chance.uniform(0.0, 500.0, 4_000)
    alive = lives > ages
    hits = [
        (band.p10_s or 0.0) <= life - age <= (band.p90_s or 0.0)
        for life, age in zip(lives[alive], ages[alive], strict=True)
        for band in [left(float(age), shape, scale)]
    ]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.03)


def test_an_old_part_has_less_left_and_never_less_than_nothing() -> None:
    shape, scale = usual(400.0, 0.3)
    bands = [left(age, shape, scale) for age in (0.0, 200.0, 400.0, 800.0, 4000.0)]
    medians = [band.p50_s or 0.0 for band in bands]
    assert medians == sorted(medians, reverse=True)
    assert medians[-1] >= 0.0
    assert bands[0].fraction == 1.0
