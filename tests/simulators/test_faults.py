from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import Kind, SensorFault, apply
from simulators.plants import Array

DAY = 86_400.0
TIMES = np.arange(240, dtype=np.float64) * 3600.0
VALUES = np.sin(TIMES / DAY) + 20.0


def fault(kind: Kind, **more: float) -> SensorFault:
    return SensorFault(signal="x", kind=kind, from_s=2 * DAY, to_s=8 * DAY, seed=5, **more)


def read(kind: Kind, **more: float) -> Array:
    return apply(fault(kind, **more), TIMES, VALUES)[0]


INSIDE = (TIMES >= 2 * DAY) & (TIMES < 8 * DAY)


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_changes_outside_and_something_inside(kind: Kind) -> None:
    out = read(kind, size=3.0, share=0.3)
    np.testing.assert_array_equal(out[~INSIDE], VALUES[~INSIDE])
    assert (out[INSIDE] != VALUES[INSIDE]).any()


def test_drift_grows_by_size_a_day() -> None:
    off = (read(Kind.DRIFT, size=2.0) - VALUES)[INSIDE]
    assert off[0] == 0
    np.testing.assert_allclose(np.diff(off), 2.0 / 24)


def test_step_is_off_by_size() -> None:
    np.testing.assert_allclose((read(Kind.STEP, size=-4.0) - VALUES)[INSIDE], -4.0)


def test_stuck_keeps_the_first_reading() -> None:
    assert set(read(Kind.STUCK)[INSIDE]) == {VALUES[INSIDE][0]}


def test_dropout_reads_nothing() -> None:
    assert np.isnan(read(Kind.DROPOUT)[INSIDE]).all()


def test_spikes_hit_about_their_share() -> None:
    off = (read(Kind.SPIKE, size=9.0, share=0.2) - VALUES)[INSIDE]
    assert set(np.round(off, 9)) == {0.0, 9.0}
    assert 0.1 < (off > 0).mean() < 0.3


def test_a_loose_contact_comes_and_goes_in_bursts() -> None:
    gone = np.isnan(read(Kind.INTERMITTENT, share=0.4)[INSIDE])
    assert 0.1 < gone.mean() < 0.8
    assert 2 <= np.abs(np.diff(gone.astype(int))).sum() <= len(gone) / 6


@pytest.mark.parametrize("kind", list(Kind))
@given(cut=st.integers(1, 239))
def test_a_cut_anywhere_gives_the_same(kind: Kind, cut: int) -> None:
    one = fault(kind, size=2.0, share=0.3)
    first, held = apply(one, TIMES[:cut], VALUES[:cut])
    second, _ = apply(one, TIMES[cut:], VALUES[cut:], held)
    np.testing.assert_array_equal(np.concatenate([first, second]), apply(one, TIMES, VALUES)[0])


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: SensorFault(signal="x", kind=Kind.STEP, from_s=0.0), "size"),
        (lambda: SensorFault(signal="x", kind=Kind.STUCK, from_s=5.0, to_s=5.0), "begin"),
        (
            lambda: SensorFault(signal="x", kind=Kind.SPIKE, from_s=0.0, size=1.0, share=0.0),
            "share",
        ),
    ],
)
def test_impossible_faults_are_refused(made: Callable[[], SensorFault], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        made()
