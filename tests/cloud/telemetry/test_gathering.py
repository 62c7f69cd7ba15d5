"""What the embedded store holds for a moment: seen by readers, stored once, framed if much."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import StoreError, StoreFull
from cloud.telemetry import compaction
from cloud.telemetry.checks import EVER, MANY, SECOND_NS, T0, agree, block
from cloud.telemetry.gathering import FRAMED_ROWS
from cloud.telemetry.identity import audit
from cloud.telemetry.reference import Reference
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block

PUMP = "acme.pump1"
LONG_S = 3600.0


def holding(path: Path, **more: int) -> SqliteTelemetry:
    return SqliteTelemetry(path / "t.db", background=False, hold_s=LONG_S, **more)


def part(n: int, count: int, **more: object) -> Block:
    """Return the n-th block of two signals, one of them with gaps, `count` rows."""
    at = np.arange(count * n, count * (n + 1))
    flow = np.where(at % 7 == 0, np.nan, at / 8)
    columns = {"temp": np.round(np.sin(at), 2), "flow": flow, "turns": at}
    quality = {"temp": (at % 4).astype(np.uint8)} if n % 3 == 0 else {}
    return block(T0 + SECOND_NS * at, columns, n=n, seq=count * n, quality=quality, **more)


def stored(path: Path, table: str) -> int:
    db = sqlite3.connect(path / "t.db")
    rows = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return int(rows)


def test_nothing_is_stored_before_it_is_asked_for(tmp_path: Path) -> None:
    store = holding(tmp_path)
    store.write([part(0, 10)], 0)
    other = holding(tmp_path)  # as after a kill: what was held comes again from the journal
    assert (store.position(), other.position()) == (0, -1)
    other.close()
    assert store.durable_position() == 0
    other = holding(tmp_path)
    assert other.position() == 0
    assert len(other.series(PUMP, "temp", *EVER, MANY).times_ns) == 10
    other.close()
    store.close()


@pytest.mark.parametrize("count", [FRAMED_ROWS // 50, FRAMED_ROWS // 8])
def test_what_is_held_reads_as_what_was_given(tmp_path: Path, count: int) -> None:
    store, reference = holding(tmp_path), Reference()
    for n in range(20):
        blocks = [part(n, count, historical=n == 5), part(n, 3, machine="acme.m2")]
        store.write(blocks, n)
        reference.write(blocks, n)
        if n == 12:
            store.latest(PUMP)
    for machine in (PUMP, "acme.m2"):
        assert store.latest(machine) == reference.latest(machine)
        for signal in ("temp", "flow", "turns"):
            got = store.series(machine, signal, *EVER, MANY)
            agree(got, reference.series(machine, signal, *EVER, MANY))
    found, repeats = audit(store.identities(PUMP))
    assert (found, repeats) == ({("b1", "live"): [(0, 20 * count - 1)]}, 0)
    store.close()


def test_many_rows_become_a_frame_with_the_fresh_ones_before_them(tmp_path: Path) -> None:
    store = holding(tmp_path)
    store.write([part(0, 100)], 0)
    store.durable_position()
    assert (stored(tmp_path, "fresh"), stored(tmp_path, "frame")) == (1, 0)
    for n in range(1, 1 + FRAMED_ROWS // 100 + 1):
        store.write([part(n, 100)], n)
    store.durable_position()
    assert (stored(tmp_path, "fresh"), stored(tmp_path, "frame")) == (0, 1)
    store.write([part(99, 100)], 99)
    times = store.series(PUMP, "turns", *EVER, MANY).values
    assert times.tolist() == [*range(100 * (n + 1)), *range(9900, 10_000)]
    store.close()


def test_rows_whose_frame_came_too_late_are_stored_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = holding(tmp_path)
    store.write([part(0, 100)], 0)
    store.durable_position()
    prepare = compaction.prepare

    def meanwhile(*args: object) -> object:
        job = prepare(*args)
        monkeypatch.undo()
        store._compact(1)  # of the fresh rows that the job has read
        return job

    monkeypatch.setattr(compaction, "prepare", meanwhile)
    store.write([part(1, FRAMED_ROWS)], 1)
    values = store.series(PUMP, "turns", *EVER, MANY).values
    assert values.tolist() == [*range(100), *range(FRAMED_ROWS, 2 * FRAMED_ROWS)]
    store.close()


def test_a_load_that_does_not_fit_stays_and_comes_in_later(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db", background=False, hold_s=1e-9, max_bytes=512 << 10)
    n = 0

    def fill() -> None:
        nonlocal n
        while True:
            store.write([part(n, 1000), part(n, 1000, machine="acme.m2")], n)
            n += 1

    with pytest.raises(StoreFull):
        fill()
    assert store.position() == n - 1
    assert "no room" in (store.trouble() or "")
    with pytest.raises(StoreError):
        store.durable_position()
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert store.durable_position() == n - 1
    assert store.trouble() is None
    for machine in (PUMP, "acme.m2"):
        values = store.series(machine, "turns", *EVER, MANY).values
        assert values.tolist() == list(range(1000 * n))
    store.close()


def test_what_is_held_is_erased_too(tmp_path: Path) -> None:
    store = holding(tmp_path)
    store.write([part(0, 10), part(0, 10, machine="acme.m2")], 0)
    assert store.erase(PUMP) == 10
    assert store.signals(PUMP) == []
    assert len(store.series("acme.m2", "temp", *EVER, MANY).times_ns) == 10
    store.close()


def test_the_thread_prepares_and_the_next_writes_store(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db", hold_s=1e-9)
    for n in range(40):
        store.write([part(n, FRAMED_ROWS // 4)], n)
    store.durable_position()
    values = store.series(PUMP, "turns", *EVER, MANY).values
    assert values.tolist() == list(range(10 * FRAMED_ROWS))
    store.close()
