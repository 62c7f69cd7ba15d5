"""Plug-in detectors run beside the core and change nothing of it."""

from collections.abc import Mapping

import numpy as np

from models.anomaly.detector import detector
from models.assessment import Assessment, Check
from models.fleet import Fleet
from models.rows import Block
from tests.models.fleet.machines import START, S, block, cut, stream

FOREST = {"generic": {"forest": detector("forest")}}


class Wild:
    """Calls everything unusual from the tenth row on."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def score_one(self, x: Mapping[str, float]) -> float:
        return float(len(self.rows) >= 10)

    def learn_one(self, x: Mapping[str, float]) -> None:
        self.rows.append(dict(x))


def rows(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(5, 1, count), "b": rng.normal(50, 2, count)}


def plain(assessment: Assessment) -> tuple[object, ...]:
    return (assessment.state, assessment.score, assessment.health, assessment.contributions)


def test_a_detector_gives_a_condition_of_its_own_and_nothing_else() -> None:
    times = START + np.arange(40) * 60 * S
    fleet, bare = Fleet({}, detectors={"generic": {"wild": Wild}}), Fleet({})
    told = fleet.observe([block("m", times, rows(40))])
    bare.observe([block("m", times, rows(40))])
    [found] = [c for a in told for c in a.conditions if c.onset]
    assert (found.check, found.signal, found.severity) == (Check.DETECTOR, "wild", 1)
    assert found.since_ns == times[12]
    assert plain(fleet.current("m")) == plain(bare.current("m"))


def test_a_detector_learns_no_late_and_no_bad_reading() -> None:
    made: list[Wild] = []

    def make() -> Wild:
        made.append(Wild())
        return made[0]

    fleet = Fleet({}, detectors={"generic": {"wild": make}})
    times = START + np.array([0, 60, 30, 120]) * S
    quality = {"a": np.array([0, 2, 0, 0], np.uint8)}
    columns = {"a": np.array([1.0, 2.0, 3.0, np.nan]), "b": np.array([7, 8, 9, 10])}
    fleet.observe([block("m", times, columns, quality=quality)])
    assert made[0].rows == [{"a": 1.0, "b": 7.0}, {"b": 8.0}, {"b": 10.0}]


def test_any_cut_gives_the_same_with_detectors() -> None:
    items = [item for item in stream(5) if isinstance(item, Block)]
    whole, pieces = Fleet({}, detectors=FOREST), Fleet({}, detectors=FOREST)
    expected = whole.observe(items)
    told = []
    for item in items:
        for part in cut(item, 1) if len(item) > 1 else [item]:
            told += pieces.observe([part])
    assert told == expected


def test_the_forest_sees_what_is_far_outside() -> None:
    fleet = Fleet({}, detectors=FOREST)
    fleet.observe([block("m", START + np.arange(600) * 60 * S, rows(600))])
    told = fleet.observe(
        [block("m", START + np.arange(600, 640) * 60 * S, {k: v * 3 for k, v in rows(40).items()})]
    )
    assert any(c.check is Check.DETECTOR and c.onset for a in told for c in a.conditions)
