"""Fresh blobs come back as they were, packed or not; files from before packing are gone on with."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.telemetry import fresh
from cloud.telemetry.checks import EVER, MANY, T0, block
from cloud.telemetry.fresh import PACKED_ROWS
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block

untimed = settings(deadline=None, max_examples=40)  # the first call compiles
VALUE = st.floats(width=64) | st.integers(-999, 999).map(lambda k: k / 10)


@untimed
@given(st.integers(1, 3), st.integers(1, PACKED_ROWS), st.lists(VALUE, min_size=1, max_size=9))
def test_blocks_come_back_bit_for_bit(blocks: int, rows: int, pattern: list[float]) -> None:
    group = [made(n, rows, pattern) for n in range(blocks)]
    (only,) = fresh.groups(group)["acme.pump1"]
    packed = fresh.pack(only, list(range(blocks)))
    times = np.concatenate([one.times_ns for one in group])
    assert (packed.start_ns, packed.end_ns) == (times.min(), times.max())
    found = fresh.unpack(packed.body, only.layout, "here")
    assert found.times.tolist() == times.tolist()
    assert found.seqs.tolist() == list(range(blocks * rows))
    assert found.sources.tolist() == np.repeat(np.arange(blocks), rows).tolist()
    for index in range(len(only.layout)):
        want = np.concatenate([one.columns[index] for one in group])
        alone = fresh.column(packed.body, only.layout, index, "here")
        assert alone[0].tolist() == times.tolist()
        for values in (found.columns[index], alone[1]):
            assert values.dtype == want.dtype
            assert values.tobytes() == want.tobytes()
    state = found.states[1]
    assert state is not None
    assert state.tolist() == [2] * (blocks * rows)


def made(n: int, rows: int, pattern: list[float]) -> Block:
    values = np.resize(pattern, rows)
    times = T0 + 10**9 * np.arange(n * rows, (n + 1) * rows)[::-1]
    return block(
        times,
        {"a": values, "b": np.arange(rows)},
        n=n,
        seq=n * rows,
        quality={"b": np.full(rows, 2, np.uint8)},
    )


def test_packing_makes_readings_of_few_decimals_small() -> None:
    rows = 500
    steps = np.random.default_rng(1).integers(-100, 100, rows)
    (only,) = fresh.groups([block(T0 + np.arange(rows), {"a": 20 + steps / 10})])["acme.pump1"]
    assert len(fresh.pack(only, [0]).body) < 3 * rows


@pytest.mark.parametrize("kinds", ["f", "?"])
def test_columns_of_other_widths_stay_as_they_are(kinds: str) -> None:
    values = (np.arange(100) % 2).astype(fresh.DTYPES[kinds])
    (only,) = fresh.groups([block(T0 + np.arange(100), {"a": values})])["acme.pump1"]
    found = fresh.unpack(fresh.pack(only, [0]).body, only.layout, "here")
    assert found.columns[0].tolist() == values.tolist()


def test_an_int64_by_its_other_name_is_one() -> None:
    values = np.arange(100, dtype=np.longlong)
    (only,) = fresh.groups([block(T0 + np.arange(100), {"a": values})])["acme.pump1"]
    assert only.layout == (("a", "q"),)
    found = fresh.unpack(fresh.pack(only, [0]).body, only.layout, "here")
    assert found.columns[0].tolist() == values.tolist()


def test_rows_whose_every_column_has_a_gap_come_back() -> None:
    values = np.arange(300) / 10
    values[7] = np.nan
    (only,) = fresh.groups([block(T0 + np.arange(300), {"a": values})])["acme.pump1"]
    found = fresh.unpack(fresh.pack(only, [0]).body, only.layout, "here")
    np.testing.assert_array_equal(found.columns[0], values)
    assert found.times.tolist() == (T0 + np.arange(300)).tolist()


def test_rows_of_no_signal_at_all_come_back() -> None:
    (only,) = fresh.groups([block(T0 + np.arange(100), {})])["acme.pump1"]
    found = fresh.unpack(fresh.pack(only, [0]).body, only.layout, "here")
    assert found.times.tolist() == (T0 + np.arange(100)).tolist()


def test_a_file_from_before_packing_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.db"
    values = np.arange(300) / 10
    with monkeypatch.context() as before:
        before.setattr(fresh, "PACKED_ROWS", 10**9)
        store = SqliteTelemetry(path, background=False)
        store.write([block(T0 + np.arange(150), {"a": values[:150]}, seq=0)], 0)
        store.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 1")
    db.execute("ALTER TABLE position DROP COLUMN crc")
    db.close()
    store = SqliteTelemetry(path, background=False)
    store.write([block(T0 + np.arange(150, 300), {"a": values[150:]}, n=1, seq=150)], 1)
    for _ in range(2):
        assert store.series("acme.pump1", "a", *EVER, MANY).values.tolist() == values.tolist()
        store.compact()
    store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone()[0] == 3
    db.close()
