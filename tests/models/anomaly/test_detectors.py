from collections.abc import Mapping
from typing import ClassVar

import pytest

from models.anomaly.checks import check_detector
from models.anomaly.detector import DETECTORS, detector
from models.plugins import UnknownPluginError


@pytest.mark.parametrize("name", list(DETECTORS))
def test_conformance(name: str) -> None:
    check_detector(detector(name))


def test_an_unknown_detector() -> None:
    with pytest.raises(UnknownPluginError, match="there are: forest, gaussian, lof, onesvm"):
        detector("crystal-ball")


class Good:
    """The simplest that passes: known range, no more."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[float, float]] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        out = [not low <= x[k] <= high for k, (low, high) in self.known.items() if k in x]
        return float(any(out))

    def learn_one(self, x: Mapping[str, float]) -> None:
        for k, v in x.items():
            low, high = self.known.get(k, (v, v))
            self.known[k] = (min(low, v), max(high, v))


class Unbounded(Good):
    def score_one(self, x: Mapping[str, float]) -> float:
        return 10.0 * super().score_one(x)


class LearnsWhileScoring(Good):
    def score_one(self, x: Mapping[str, float]) -> float:
        score = super().score_one(x)
        self.learn_one(x)
        return score


class Shared(Good):
    seen: ClassVar[dict[str, tuple[float, float]]] = {}

    def __init__(self) -> None:
        self.known = self.seen


class Blind(Good):
    def score_one(self, x: Mapping[str, float]) -> float:
        return 0.0


class Writes(Good):
    def score_one(self, x: Mapping[str, float]) -> float:
        x["a"] = 0.0  # type: ignore[index]
        return 0.0


class NeedsAll(Good):
    def score_one(self, x: Mapping[str, float]) -> float:
        return 0.0 * x["a"]


def test_the_suite_passes_the_simplest() -> None:
    check_detector(Good)


@pytest.mark.parametrize("wrong", [Unbounded, LearnsWhileScoring, Shared, Blind, Writes])
def test_the_suite_finds_what_is_wrong(wrong: type[Good]) -> None:
    with pytest.raises(AssertionError):
        check_detector(wrong)


def test_the_suite_finds_who_needs_every_signal() -> None:
    with pytest.raises(KeyError):
        check_detector(NeedsAll)
