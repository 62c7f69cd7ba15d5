"""A fleet goes on without some of its machines as if nothing had happened."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Fleet
from models.fleet.forget import without
from models.fleet.persist import SnapshotError
from models.rows import Block, Tick
from tests.models.fleet.machines import PROFILES, stream
from tests.models.fleet.test_determinism import QUICK, fresh, same

NAMES = ("a.wall", "a.data", "a.unbound", "a.slow")


@given(
    seed=st.integers(0, 50),
    at=st.integers(0, 60),
    gone=st.sets(st.sampled_from(NAMES)),
)
@settings(max_examples=25, deadline=None)
def test_the_others_go_on_bit_for_bit(seed: int, at: int, gone: set[str]) -> None:
    rows = stream(seed)
    later = [row for row in rows[at:] if isinstance(row, Tick) or row.machine not in gone]
    whole = fresh()
    whole.observe(rows[:at])
    less = Fleet.restore(PROFILES, without(whole.snapshot(), gone), QUICK)
    assert set(less.machines()) == set(whole.machines()) - gone
    told = [one for one in whole.observe(later) if one.machine not in gone]
    assert less.observe(later) == told
    assert same(less.snapshot(), without(whole.snapshot(), gone))


def test_nothing_of_them_is_left() -> None:
    fleet = fresh()
    fleet.observe([row for row in stream(3) if isinstance(row, Block)])
    arrays = without(fleet.snapshot(), {"a.unbound", "a.wall"})
    said = b"".join(array.tobytes() for array in arrays.values())
    assert np.array(["unbound"], "U").tobytes()[:-4] not in said
    assert np.array(["a.data"], "U").tobytes() in said


def test_what_is_not_known_is_not_half_erased() -> None:
    arrays = fresh().snapshot() | {"novel": np.zeros(3)}
    with pytest.raises(SnapshotError, match="novel"):
        without(arrays, {"a.data"})
