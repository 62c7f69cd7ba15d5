"""The conformance suite of detectors: every one must pass it, also those of other packages.

    from models.anomaly.checks import check_detector
    check_detector(MyDetector)

Raises `AssertionError` with what is wrong.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from models.anomaly.detector import Factory

ROWS: Final = 600
Row = Mapping[str, float]


def check_detector(make: Factory) -> None:
    """Run the whole suite on what `make` makes."""
    for check in (
        instances_share_nothing,
        scores_are_from_0_to_1,
        the_same_rows_give_the_same_scores,
        scoring_learns_nothing,
        rows_are_left_alone,
        absent_signals_are_no_error,
        a_constant_signal_is_no_error,
        a_far_outlier_scores_higher_than_usual,
    ):
        check(make)


def rows(count: int = ROWS, seed: int = 0) -> list[Row]:
    """Return usual rows of three signals, one of them constant."""
    values = np.random.default_rng(seed).normal((20.0, -3.0), (1.0, 0.1), (count, 2))
    return [{"a": a, "b": b, "still": 7.0} for a, b in values.tolist()]


def scores(make: Factory, given: Sequence[Row]) -> list[float]:
    """Score and learn rows in turn with a new detector."""
    made = make()
    found = []
    for row in given:
        found.append(made.score_one(row))
        made.learn_one(row)
    return found


def scores_are_from_0_to_1(make: Factory) -> None:
    """Every score is a finite number from 0 to 1, from the first row on."""
    extreme = [{"a": 1e12, "b": -1e12, "still": 0.0}, {"a": 0.0, "b": 0.0, "still": 1e-12}]
    found = scores(make, [*rows(), *extreme, *rows(10, 1)])
    assert all(math.isfinite(s) and 0.0 <= s <= 1.0 for s in found), "a score is not in 0..1"


def the_same_rows_give_the_same_scores(make: Factory) -> None:
    """No clock and no free chance."""
    assert scores(make, rows()) == scores(make, rows()), "two runs over the same rows differ"


def scoring_learns_nothing(make: Factory) -> None:
    """A row is scored before it is learned, and scoring it twice changes nothing."""
    made, twice = make(), make()
    for row in rows():
        score = made.score_one(row)
        twice.score_one({"a": 99.0, "b": 99.0, "still": 99.0})
        assert twice.score_one(row) == score, "scoring a row changed the detector"
        made.learn_one(row)
        twice.learn_one(row)


def instances_share_nothing(make: Factory) -> None:
    """Each machine has its own."""
    alone = scores(make, rows())
    made, other = make(), make()
    found = []
    for row in rows():
        other.learn_one({name: value + 50.0 for name, value in row.items()})
        found.append(made.score_one(row))
        made.learn_one(row)
    assert found == alone, "another instance changed the scores"


def rows_are_left_alone(make: Factory) -> None:
    """What is given is not written to."""
    given = {"a": 1.0, "b": 2.0, "still": 7.0}
    made = make()
    made.score_one(given)
    made.learn_one(given)
    assert given == {"a": 1.0, "b": 2.0, "still": 7.0}, "the row was changed"


def absent_signals_are_no_error(make: Factory) -> None:
    """A signal may be missing, come later, or all may be missing."""
    given = [dict(row) for row in rows()]
    for i, row in enumerate(given):
        if i % 3 == 0:
            row.pop("a")
        if i < 100:
            row.pop("b", None)
    found = scores(make, [{}, *given, {}])
    assert all(math.isfinite(s) for s in found), "a missing signal gave no number"


def a_constant_signal_is_no_error(make: Factory) -> None:
    """A signal that never changes has no spread to divide by."""
    found = scores(make, [{"a": 5.0}] * ROWS)
    assert all(math.isfinite(s) for s in found), "a constant signal gave no number"


def a_far_outlier_scores_higher_than_usual(make: Factory) -> None:
    """After enough usual rows, one far outside is above nine of ten of them."""
    found = scores(make, [*rows(), {"a": 60.0, "b": 9.0, "still": 7.0}])
    usual = sorted(found[ROWS // 2 : -1])
    assert found[-1] > usual[int(0.9 * len(usual))], "an outlier is not seen"
