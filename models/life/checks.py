"""The conformance suite of life predictors: every one must pass it, also those of other packages.

    from models.life.checks import check_predictor
    check_predictor(MyLife(), part)

`part` is a consumable that the predictor can read. Raises `AssertionError` with what is wrong.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.life.predictor import LifePredictor, Past
from models.profile import Consumable

DAY_S = 86_400.0
NOTHING = Consumable(title={}, part="none")


def check_predictor(predictor: LifePredictor, part: Consumable) -> None:
    """Run the whole suite."""
    for check in (
        bands_are_ordered,
        the_same_past_gives_the_same_band,
        the_past_is_left_alone,
        no_past_is_no_error,
        a_part_without_what_it_needs_is_left_to_others,
    ):
        check(predictor, part)


def pasts(part: Consumable) -> Iterator[Past]:
    """Yield pasts that run up to, towards, away from and beyond the part's limit, and chance."""
    goal = part.rated if part.counter is not None else part.limit
    assert goal is not None, "the part has neither rated use nor a limit"
    rng = np.random.default_rng(0)
    times: NDArray[np.float64] = 0.7 * DAY_S * np.arange(1.0, 41.0)
    away = 1.0 if part.counter is None and part.worse == "low" else -1.0
    start = 0.0 if part.counter is not None else goal + away * max(abs(goal), 1.0)
    for share in (0.1, 0.5, 0.9, 1.0, 1.3, 0.0, -0.5):
        clean = start + (goal - start) * share * times / times[-1]
        for noise in (0.0, 0.02, 0.5):
            values = clean + noise * abs(goal - start) * rng.standard_normal(len(times))
            yield Past(
                times_s=times, values=values, now_s=float(times[-1]), value=float(values[-1])
            )


def bands_are_ordered(predictor: LifePredictor, part: Consumable) -> None:
    """All of p10 ≤ p50 ≤ p90 are finite and not negative, or all are None; fraction is 0..1."""
    for past in pasts(part):
        band = predictor.predict(past, part)
        assert band is not None, "a part that it can read gave no answer"
        found = (band.p10_s, band.p50_s, band.p90_s)
        if None in found:
            assert found == (None, None, None), f"the band is incomplete: {found}"
        else:
            edges = [float(v) for v in found if v is not None]
            assert np.isfinite(edges).all(), f"the band is not finite: {found}"
            assert 0.0 <= edges[0] <= edges[1] <= edges[2], f"the band is not in order: {found}"
        assert band.fraction is None or 0.0 <= band.fraction <= 1.0, "fraction is not in 0..1"


def the_same_past_gives_the_same_band(predictor: LifePredictor, part: Consumable) -> None:
    """No clock, no chance, no memory."""
    first = [predictor.predict(past, part) for past in pasts(part)]
    assert first == [predictor.predict(past, part) for past in pasts(part)], "two runs differ"


def the_past_is_left_alone(predictor: LifePredictor, part: Consumable) -> None:
    """What is given is not written to."""
    for past in pasts(part):
        times, values = past.times_s.copy(), past.values.copy()
        predictor.predict(past, part)
        unchanged = np.array_equal(times, past.times_s) and np.array_equal(values, past.values)
        assert unchanged, "the past was changed"


def no_past_is_no_error(predictor: LifePredictor, part: Consumable) -> None:
    """Nothing is known of a new machine."""
    for count in (0, 1, 2):
        times = np.arange(count, dtype=np.float64)
        past = Past(times_s=times, values=np.zeros(count), now_s=float(count), value=0.0)
        band = predictor.predict(past, part)
        assert band is None or not band.known, "a band from nearly nothing"


def a_part_without_what_it_needs_is_left_to_others(
    predictor: LifePredictor, part: Consumable
) -> None:
    """None for a part without counter, indicator or limit."""
    assert predictor.predict(next(pasts(part)), NOTHING) is None, "an answer for nothing"
