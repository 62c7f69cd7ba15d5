import numpy as np
import pytest

from models.life.checks import check_predictor
from models.life.predictor import GROUP, PREDICTORS, Band, Past
from models.life.trend import sen, until
from models.plugins import find
from models.profile import Consumable

DAY = 86_400.0
WORN = Consumable(title={}, part="w", indicator="i", limit=10.0)
LOW = Consumable(title={}, part="l", indicator="i", limit=1.1, worse="low")


@pytest.mark.parametrize(("basis", "part"), [("trend", WORN), ("trend", LOW)])
def test_conformance(basis: str, part: Consumable) -> None:
    check_predictor(find(PREDICTORS, GROUP, basis)(), part)


class Fixed:
    def __init__(self, band: Band | None) -> None:
        self.band = band

    def predict(self, past: Past, part: Consumable) -> Band | None:
        return self.band


@pytest.mark.parametrize(
    "band",
    [
        None,
        Band(p10_s=3.0, p50_s=2.0, p90_s=4.0, fraction=0.5),
        Band(p10_s=None, p50_s=2.0, p90_s=4.0, fraction=0.5),
        Band(p10_s=-1.0, p50_s=2.0, p90_s=4.0, fraction=0.5),
        Band(p10_s=1.0, p50_s=2.0, p90_s=float("inf"), fraction=0.5),
        Band(p10_s=None, p50_s=None, p90_s=None, fraction=1.5),
    ],
)
def test_the_suite_finds_what_is_wrong(band: Band | None) -> None:
    with pytest.raises(AssertionError):
        check_predictor(Fixed(band), WORN)


def points(days: float, count: int, noise: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return times and noise of `count` points over some days."""
    return np.linspace(0.0, days * DAY, count), noise * np.random.default_rng(seed).standard_normal(
        count
    )


def test_the_slope_is_the_median_of_pairwise_slopes() -> None:
    times = np.array([0.0, 1.0, 2.0, 4.0])
    values = np.array([0.0, 1.0, 5.0, 3.0])
    slope, low, high, z = sen(times, values)
    assert slope == pytest.approx((0.75 + 1.0) / 2)
    assert low <= slope <= high
    assert z == pytest.approx(3.0 / np.sqrt(4 * 3 * 13 / 18))


@pytest.mark.parametrize("seed", range(5))
def test_steady_wear_is_met_within_the_band(seed: int) -> None:
    times, noise = points(30, 60, 0.05, seed)
    band = until(times, 1.0 + 6.0 * times / (30 * DAY) + noise, times[-1], 10.0)
    assert band.p10_s is not None
    assert band.p50_s is not None
    assert band.p90_s is not None
    assert band.p10_s <= 15 * DAY <= band.p90_s
    assert band.p50_s == pytest.approx(15 * DAY, rel=0.2)
    assert band.fraction == pytest.approx(1 / 3, abs=0.1)


@pytest.mark.parametrize("left", [0.35, 0.25, 0.15])
def test_wear_that_gets_faster_is_not_badly_late(left: float) -> None:
    """Paris' law: the present slope alone would promise two to three times the true life."""
    times, noise = points(60 * (1 - left), 60, 0.02)
    first, last = 0.4**-0.5, 7.0**-0.5
    values = (first - (first - last) * times / (60 * DAY)) ** -2.0 + noise
    band = until(times, values, times[-1], 7.0)
    assert band.p10_s is not None
    assert band.p50_s is not None
    assert band.p10_s <= 60 * left * DAY
    assert band.p50_s <= 1.5 * 60 * left * DAY


@pytest.mark.parametrize("seed", range(20))
def test_noise_and_a_daily_cycle_are_no_wear(seed: int) -> None:
    times, noise = points(20, 60, 0.1, seed)
    band = until(times, 3.0 + 0.5 * np.sin(2 * np.pi * times / DAY) + noise, times[-1], 10.0)
    assert not band.known


def test_reached_is_zero() -> None:
    times, _ = points(20, 30, 0.0)
    band = until(times, np.linspace(1, 11, 30), times[-1], 10.0)
    assert (band.p10_s, band.p50_s, band.p90_s, band.fraction) == (0.0, 0.0, 0.0, 0.0)


def test_few_points_say_nothing() -> None:
    times, _ = points(7, 7, 0.0)
    assert not until(times, times, times[-1], 1e9).known
