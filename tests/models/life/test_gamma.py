"""First passage: against draws of a gamma process and of a Wiener process with an unknown drift."""

import numpy as np
import pytest
from scipy import stats

from models.life import online
from models.life.gamma import stretched
from models.life.online import foresee
from models.life.wiener import WEAR
from tests.models.life.parts import DAY, FILTER


def passage(
    w: float, rate_var: float, ww: float, diffusion: float, memory: float = 0.0
) -> np.ndarray:
    """Return (p10, p50, p90) in usual lives for a known state."""
    wears, usual = np.zeros(1, WEAR), online.usual(FILTER)
    wears["w"], wears["r"], wears["rr"], wears["ww"] = w, 1.0, rate_var, ww
    usual["diffusion"], usual["memory"] = diffusion, memory
    out = np.zeros(5)
    use = np.array([1.0 / (400 * DAY), 0.0, 0.0, 0.0])
    foresee(wears[0], usual[0], 0.0, use, out)
    return out[:3] / (400 * DAY)


@pytest.mark.parametrize("diffusion", [0.001, 0.01, 0.05])
def test_a_gamma_process_crosses_when_it_says(diffusion: float) -> None:
    chance = np.random.default_rng(1)
    steps = chance.gamma(0.001 / diffusion, diffusion, (2_000, 3_000))
    crossed = (np.cumsum(steps, axis=1) < 0.6).sum(axis=1) * 0.001
    np.testing.assert_allclose(
        passage(0.4, 0.0, 0.0, diffusion), np.quantile(crossed, [0.1, 0.5, 0.9]), rtol=0.06
    )


@pytest.mark.parametrize("left", [0.1, 0.3, 1.0])
def test_a_rate_that_stays_alike_for_a_while_crosses_when_it_says(left: float) -> None:
    diffusion, memory, step = 0.02, 0.1, 0.005
    chance = np.random.default_rng(4)
    alike = np.exp(-step / memory)
    rate = np.sqrt(diffusion / (2 * memory)) * chance.standard_normal(20_000)
    worn, crossed = np.zeros(20_000), np.zeros(20_000)
    while (worn < left).any():
        crossed += step * (worn < left)
        worn += step * np.maximum(1.0 + rate, 0.0)
        fresh = np.sqrt(diffusion / (2 * memory) * (1 - alike**2))
        rate = alike * rate + fresh * chance.standard_normal(20_000)
    oracle = np.quantile(crossed, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(passage(1.0 - left, 0.0, 0.0, diffusion, memory), oracle, rtol=0.08)
    wide = passage(1.0 - left, 0.0, 0.0, diffusion)
    assert np.ptp(wide) > np.ptp(oracle)


def test_little_diffusion_is_the_inverse_gaussian_of_a_wiener_process() -> None:
    left, diffusion = 0.6, 0.002
    shape = left * left / diffusion
    oracle = stats.invgauss(mu=left / shape, scale=shape).ppf([0.1, 0.5, 0.9])
    np.testing.assert_allclose(passage(0.4, 0.0, 0.0, diffusion), oracle, rtol=0.01)


def test_an_unknown_rate_and_an_unknown_wear_widen_the_band() -> None:
    chance = np.random.default_rng(2)
    rates = np.exp(0.15 * chance.standard_normal(100_000))
    lives = (0.6 + 0.02 * chance.standard_normal(100_000)) / rates
    np.testing.assert_allclose(
        passage(0.4, 0.15**2, 0.02**2, 0.0), np.quantile(lives, [0.1, 0.5, 0.9]), rtol=0.02
    )


def test_a_used_up_part_has_no_time_left() -> None:
    assert passage(1.0, 0.1, 0.01, 0.01).tolist() == [0.0, 0.0, 0.0]


def test_close_to_the_limit_the_band_still_ends() -> None:
    p10, p50, p90 = passage(0.999, 0.04, 0.01**2, 0.001)
    assert p10 == 0.0
    assert p50 == pytest.approx(0.001)
    assert 0.01 < p90 < 0.03


def test_stretching_by_nothing_changes_nothing() -> None:
    assert stretched(0.0) == 1.0
    assert stretched(0.04) == pytest.approx(np.exp(1.2816 * 0.2), rel=0.01)
