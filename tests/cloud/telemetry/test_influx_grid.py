"""Rows of answers as arrays, against MessagePack's own reader, on what InfluxDB's fields can be."""

import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import StoreError
from cloud.telemetry.influx import tables
from cloud.telemetry.influx.grid import Grid

untimed = settings(deadline=None)  # the first call compiles
numbers = st.integers(-(2**63), 2**63 - 1)
cells = st.one_of(
    st.none(), st.booleans(), numbers, st.floats(allow_nan=False), st.text(max_size=300)
)
answers = st.integers(1, 20).flatmap(
    lambda width: st.lists(st.tuples(numbers, *[cells] * (width - 1)).map(list), max_size=40).map(
        lambda rows: (width, rows)
    )
)


def cell_of(grid: Grid, column: int, row: int) -> Any:
    """Return what a cell holds, a text as its kind."""
    bits = int(grid.cells[column, row])
    return (
        None,
        bits,
        struct.unpack("<d", struct.pack("<q", bits))[0],
        bool(bits),
        str,
    )[grid.kinds[column, row]]


@untimed
@given(answers)
def test_every_cell_is_what_was_sent(answer: tuple[int, list[list[Any]]]) -> None:
    width, rows = answer
    names = [f"c{at}" for at in range(width)]
    grid = Grid.read(names, msgspec.msgpack.encode(rows))
    assert len(grid) == len(rows)
    for at, row in enumerate(rows):
        for column, sent in enumerate(row):
            found = cell_of(grid, column, at)
            expected = str if isinstance(sent, str) else sent
            assert (type(found), repr(found)) == (type(expected), repr(expected))


@pytest.mark.parametrize("length", [15, 16, 65_535, 65_536])
def test_any_number_of_rows(length: int) -> None:
    grid = Grid.read(["time", "n"], msgspec.msgpack.encode([[at, at / 3] for at in range(length)]))
    assert np.array_equal(grid.times, np.arange(length))
    assert np.array_equal(grid.doubles(1), np.arange(length) / 3)


@pytest.mark.parametrize(
    "data",
    [b"\x91\x91\xc1", b"\x91\x92\x00\x00", b"\x00", b"\x91\x91\x00\x00"],
    ids=["no field", "a column too many", "no rows", "more behind them"],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Grid.read(["time"], data)


def test_a_signal_that_changed_its_kind_has_all_its_values() -> None:
    """Whole numbers keep every bit, alone or beside a signal's historical ones."""
    big = 2**62 + 1
    rows = [[1, big, None, None], [2, None, big, None], [3, None, None, 64]]
    whole = tables.samples([Grid.read(["time", "i.x", "I.x", "s.x"], msgspec.msgpack.encode(rows))])
    assert whole.values.tolist() == [big, big, 0]
    assert whole.times.tolist() == [1, 2, 3]
    mixed = [[1, 0.5, None, 9], [2, None, 0.1, None], [3, None, None, 7]]
    found = tables.samples(
        [Grid.read(["time", "f.x", "e.x", "i.x"], msgspec.msgpack.encode(mixed))]
    )
    assert found.values.tolist() == [9.0, float(np.float32(0.1)), 7.0]
