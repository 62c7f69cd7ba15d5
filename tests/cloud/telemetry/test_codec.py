"""Packed columns come back bit for bit, whatever is in them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloud.errors import StoreCorrupt
from cloud.telemetry import chunk, codec
from cloud.telemetry.chunk import Column
from cloud.telemetry.fresh import MISSING

INT64 = st.integers(-(2**63), 2**63 - 1)
untimed = settings(deadline=None)  # the first call compiles
FLOATS = st.one_of(
    st.floats(width=64),
    st.floats(width=32),
    st.integers(-(10**6), 10**6).map(lambda k: k / 100),
    st.integers(-(10**4), 10**4).map(lambda k: k * 0.1),
    st.sampled_from([-0.0, 0.0, 5e-324, -5e-324, 1.7976931348623157e308]),
)
DECIMALS = st.integers(0, 6).flatmap(
    lambda d: st.lists(st.integers(-(10**7), 10**7).map(lambda k: k / 10**d), max_size=300)
)


def floats_back(values: np.ndarray) -> np.ndarray:
    out = np.empty(codec.room(len(values)), np.uint8)
    end = codec.pack_floats(values, out, 0)
    back = np.empty(len(values))
    assert codec.unpack_floats(out[:end], 0, back) == end
    return back


@untimed
@given(st.lists(INT64, max_size=200) | st.lists(st.integers(-50, 50), max_size=200))
@example([0, 4611086873615400960, -4636526185122103297, 4621537642612260864])
def test_whole_numbers(numbers: list[int]) -> None:
    values = np.array(numbers, np.int64)
    out = np.empty(codec.room(len(values)), np.uint8)
    end = codec.pack_ints(values, out, 0)
    back = np.empty(len(values), np.int64)
    assert codec.unpack_ints(out[:end], 0, back) == end
    assert back.tolist() == numbers


@settings(untimed, max_examples=300)
@given(st.lists(FLOATS, max_size=200) | DECIMALS)
@example([0.0, 1.8669631269294769, -97.0, 9.5])  # bit patterns too far apart for an int64
def test_floats(numbers: list[float]) -> None:
    values = np.array(numbers, np.float64)
    back = floats_back(values)
    there = ~np.isnan(values)
    assert back[there].view(np.int64).tolist() == values[there].view(np.int64).tolist()


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda k: k / 10, 0.8),
        (lambda k: k * 0.1, 0.8),
        (lambda k: (k / 10).astype(np.float32).astype(np.float64), 0.8),
        (lambda k: k * 0.0625, 0.8),
        (lambda k: np.where(k % 7 == 0, -0.0, k / 10), 1.1),
    ],
    ids=["decimals", "scaled register", "single precision", "binary step", "negative zeros"],
)
def test_a_sensor_with_few_steps_costs_less_than_a_byte(
    make: Callable[[NDArray[np.float64]], NDArray[np.float64]], most: float
) -> None:
    steps = np.rint(np.random.default_rng(1).normal(500, 3, 8192))
    values = make(steps)
    blob = chunk.pack_column(Column(values, None), "d")
    assert floats_back(values).tobytes() == values.tobytes()
    assert len(blob) / len(values) <= most


def test_a_constant_step_of_time_costs_almost_nothing() -> None:
    times = 1_790_000_000_000_000_000 + 1_000_000_000 * np.arange(8192)
    assert len(chunk.pack_numbers(times)) < 60


def test_missing_cells_and_qualities_come_back() -> None:
    values = np.array([1.5, np.nan, 2.5, 3.5])
    states = np.array([0, 0, MISSING | 2, 1], np.uint8)
    back = chunk.unpack_column(chunk.pack_column(Column(values, states), "d"), 4, "d", "here")
    assert back.states is not None
    assert back.states.tolist() == [0, MISSING, MISSING | 2, 1]
    assert back.values.tolist()[0::3] == [1.5, 3.5]
    assert np.isnan(back.values[1:3]).all()


def test_a_changed_byte_is_noticed_and_named() -> None:
    blob = bytearray(chunk.pack_numbers(np.arange(100)))
    blob[9] ^= 1
    with pytest.raises(StoreCorrupt, match=r"here, row 7: .*checksum"):
        chunk.unpack_numbers(bytes(blob), 100, "here, row 7")
