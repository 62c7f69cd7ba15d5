"""The comparison tells good detectors from bad ones."""

from collections.abc import Mapping

import numpy as np
import pytest

from forewarn.trials import FAULTS, Bench
from models.anomaly.card import Side
from models.anomaly.detector import Factory
from models.profile import load_profiles
from tests.models.anomaly.trained import SIGNALS, plant, recording


class Blind:
    def score_one(self, x: Mapping[str, float]) -> float:
        return 0.0

    def learn_one(self, x: Mapping[str, float]) -> None:
        pass


class Nervous(Blind):
    """Cries for ten rows of every forty."""

    def __init__(self) -> None:
        self.rows = 0

    def score_one(self, x: Mapping[str, float]) -> float:
        return float(self.rows % 40 >= 30)

    def learn_one(self, x: Mapping[str, float]) -> None:
        self.rows += 1


def compare(factory: Factory, rows: int = 900, trials: int = 8) -> tuple[Side, Side]:
    bench = Bench(
        recording(plant(rows)),
        SIGNALS,
        rows - 400,
        profile="generic",
        profiles=load_profiles(),
        detectors={"any": factory},
    )
    return bench.compare(trials, np.random.default_rng(0))


def test_the_blind_catch_nothing() -> None:
    learned, default = compare(Blind)
    assert learned == Side(caught=0, false_onsets=0)
    assert default.caught > 0


def test_the_nervous_catch_all_and_are_false() -> None:
    learned, _ = compare(Nervous)
    assert learned.caught == 8
    assert learned.false_onsets == 10


def test_too_few_rows_are_no_trial() -> None:
    bench = Bench(
        recording(plant(30)),
        SIGNALS,
        20,
        profile="generic",
        profiles=load_profiles(),
        detectors={"any": Nervous},
    )
    learned, default = bench.compare(8, np.random.default_rng(0))
    assert (learned.caught, default.caught) == (0, 0)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_the_rows_it_is_given(fault: object) -> None:
    column = plant(100)[:, 0]
    before = column.copy()
    found = fault(column, plant(500)[:, 0], np.random.default_rng(1))  # type: ignore[operator]
    assert found.shape == column.shape
    assert not np.allclose(found[1:], column[1:])
    np.testing.assert_array_equal(column, before)
