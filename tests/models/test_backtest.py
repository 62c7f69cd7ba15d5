"""A recording through the live core: any cut, any clock, any trouble in the cells."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.backtest import Backtest, Found

S = 1_000_000_000
START = 1_790_000_000 * S


def taken(
    times: NDArray[np.int64], columns: list[NDArray[np.float64]], cuts: list[int] | None = None
) -> Found:
    test = Backtest([f"c{i}" for i in range(len(columns))])
    edges = [0, *sorted(cuts or []), len(times)]
    parts = [test.take(times[a:b], [c[a:b] for c in columns]) for a, b in pairwise(edges)]
    reasons = {
        a + row: why
        for a, part in zip(edges, parts, strict=False)
        for row, why in part.reasons.items()
    }
    return Found(
        score=np.concatenate([p.score for p in parts]),
        alarm=np.concatenate([p.alarm for p in parts]),
        state=np.concatenate([p.state for p in parts]),
        reasons=reasons,
    )


def step(rows: int = 1500, at: int = 1000) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    x = np.random.default_rng(1).normal(20, 1, rows)
    x[at:] += 9.0
    return START + np.arange(rows) * 60 * S, x


def test_an_alarm_says_why_in_words() -> None:
    times, x = step()
    found = taken(times, [x, np.full(len(x), 5.0)])
    rows = np.flatnonzero(found.alarm).tolist()
    assert rows == sorted(found.reasons)
    first = next(row for row in rows if row >= 1000)
    assert found.reasons[first].startswith("c0 ")
    assert "expected" in found.reasons[first]
    assert found.score[first] >= 0.5


@given(cuts=st.lists(st.integers(0, 1500), max_size=6), seed=st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_cuts_and_jumping_clocks_change_nothing(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, x = step()
    times = times + np.cumsum(rng.choice([0, 0, 0, -(10**13), 10**14], len(x)))
    x[rng.integers(0, len(x), 40)] = np.nan
    whole, cut = taken(times, [x]), taken(times, [x], cuts)
    for field in ("score", "alarm", "state"):
        assert getattr(whole, field).tobytes() == getattr(cut, field).tobytes()
    assert whole.reasons == cut.reasons


def test_one_absurd_time_does_not_make_blind() -> None:
    times, x = step()
    times[300] += 20 * 365 * 86_400 * S
    found = taken(times, [x])
    assert any(1000 <= row < 1006 for row in found.reasons)


def test_a_clock_that_was_set_back_does_not_make_blind() -> None:
    times, x = step()
    times[600:] -= 5 * 86_400 * S
    assert any(1000 <= row < 1006 for row in taken(times, [x]).reasons)


def test_constant_empty_and_missing_signals_are_quiet() -> None:
    times, _ = step()
    columns = [np.full(1500, 7.0), np.full(1500, np.nan), np.full(1500, np.inf)]
    found = taken(times, columns)
    assert not found.score.any()
    assert not found.alarm.any()
    assert not found.state.any()
    none = Backtest(["a"]).take(times[:0], [np.zeros(0)])
    assert len(none.score) == len(none.alarm) == len(none.state) == 0


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=1, max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_numbers_give_scores_below_one(values: list[float]) -> None:
    x = np.tile(np.array(values), 3)
    found = taken(START + np.arange(len(x)) * S, [x])
    assert np.isfinite(found.score).all()
    assert ((found.score >= 0.0) & (found.score < 1.0)).all()
