import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.anomaly.tail import RunningTail, Tail, fitted, score_of

NORMAL = np.abs(np.random.default_rng(0).normal(size=5_000)).tolist()


def test_probabilities_are_those_of_the_distribution() -> None:
    tail = fitted(NORMAL)
    for value, p in ((0.674, 0.5), (1.645, 0.1), (2.576, 0.01)):
        assert tail.probability(value) == pytest.approx(p, rel=0.25)
    assert tail.probability(-1.0) == 1.0


@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=200), st.floats(0, 1e7))
def test_more_is_never_more_probable(values: list[float], value: float) -> None:
    tail = fitted(values)
    p, q = tail.probability(value), tail.probability(value * 1.5 + 1e-9)
    assert 0.0 <= q <= p <= 1.0
    assert 0.0 <= score_of(p) <= score_of(q) < 1.0


def test_a_score_keeps_its_resolution_in_the_tail() -> None:
    tail = Tail(levels=(0.0, 1.0), excess=0.3)
    scores = [score_of(tail.probability(value)) for value in (2.0, 5.0, 10.0, 20.0)]
    assert scores == sorted(set(scores))
    assert score_of(1 / 8_000) == pytest.approx(0.95)


def test_the_running_tail_forgets() -> None:
    tail = RunningTail(window=200, first=100)
    assert tail.probability(5.0) == 1.0
    for value in NORMAL[:1_000]:
        tail.learn(value)
    assert tail.probability(5.0) < 0.001
    for value in NORMAL[:200]:
        tail.learn(value + 5.0)
    assert tail.probability(5.0) == 1.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=150, max_size=400), st.floats(-1e3, 1e3))
def test_the_running_tail_gives_probabilities(values: list[float], value: float) -> None:
    tail = RunningTail(window=150, first=100)
    for one in values:
        tail.learn(one)
    assert 0.0 <= tail.probability(value) <= 1.0


def test_equal_errors_leave_nothing_to_divide_by() -> None:
    tail = RunningTail()
    for _ in range(200):
        tail.learn(1.0)
    assert tail.probability(1.0) == 1.0
    assert tail.probability(1.5) < 1e-9
    assert fitted([1.0, 1.0]).probability(2.0) == pytest.approx(0.1)
