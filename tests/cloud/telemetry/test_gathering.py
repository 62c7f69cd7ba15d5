"""What the embedded store holds for a moment: seen by readers, stored once, framed if much."""

import sqlite3
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.errors import StoreCorrupt, StoreError, StoreFull
from cloud.telemetry import checkpoints, compaction, fresh, upkeep
from cloud.telemetry.checks import EVER, MANY, SECOND_NS, T0, agree, block
from cloud.telemetry.gathering import FRAMED_ROWS, HELD_BYTES, Gathered
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

    def meanwhile(*args: Any) -> object:
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


def test_many_small_messages_are_held_no_longer_than_their_memory_allows() -> None:
    gathered = Gathered()
    small = part(0, 1)
    while not gathered.due(0.0, LONG_S):
        gathered.add([small] * 1_000, 0, 0.0)
    assert sum(len(group.blocks) for group in gathered.groups[PUMP]) * 600 < 2 * HELD_BYTES


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


def test_a_failure_while_it_is_packed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteTelemetry(tmp_path / "t.db", hold_s=LONG_S)
    store.write([part(0, 10)], 0)
    real, calls = fresh.pack, count()

    def once(*arguments: Any) -> Any:
        if next(calls) == 0:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(fresh, "pack", once)
    assert store.durable_position() == 0
    store.write([part(1, 10)], 1)
    assert store.durable_position() == 1
    assert audit(store.identities(PUMP)) == ({("b1", "live"): [(0, 19)]}, 0)
    store.close()


def test_half_a_group_is_never_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [[part(n, 10, machine=name) for name in ("acme.m1", "acme.m2")] for n in range(2)]
    store = holding(tmp_path)
    store.write(groups[0], 0)
    real, calls = fresh._shape_of, count()

    def second(*arguments: Any) -> Any:
        if next(calls) == 1:
            raise MemoryError
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fresh, "_shape_of", second)
        with pytest.raises(MemoryError):
            store.write(groups[1], 1)
    with pytest.raises(StoreCorrupt, match="start again"):
        store.durable_position()
    store.close()
    again = holding(tmp_path)
    for n in range(again.position() + 1, 2):
        again.write(groups[n], n)
    for machine in ("acme.m1", "acme.m2"):
        assert audit(again.identities(machine)) == ({("b1", "live"): [(0, 19)]}, 0)
    again.close()


def test_numbers_of_arrival_are_given_once(tmp_path: Path) -> None:
    store = holding(tmp_path)
    at = T0 + SECOND_NS * np.arange(FRAMED_ROWS)
    store.write([block(at, {"temp": np.ones(FRAMED_ROWS)}, n=0, seq=0)], 0)
    store.close()
    again = holding(tmp_path)
    again.write([block(at[-1:], {"temp": np.array([2.0])}, n=1, seq=FRAMED_ROWS)], 1)
    for compacted in (False, True):
        if compacted:
            again.compact()
        found = again.series(PUMP, "temp", int(at[-1]), int(at[-1]) + 1, MANY)
        assert found.values.tolist() == [1.0, 2.0]
    again.close()


def test_a_fleet_of_layouts_makes_no_frame_wider_than_its_numbers(tmp_path: Path) -> None:
    layouts = [[f"s{n}_{index}" for index in range(1000)] for n in range(5)]
    store = SqliteTelemetry(tmp_path / "t.db", background=False, hold_s=0.0)
    for n, names in enumerate(layouts):
        columns = {name: np.full(1, 1000.0 * n + index) for index, name in enumerate(names)}
        store.write([block(np.array([T0 + n]), columns, n=n, seq=n)], n)
    store.compact()
    for n in range(5):
        for index in (0, 999):
            found = store.series(PUMP, f"s{n}_{index}", *EVER, MANY)
            assert found.values.tolist() == [1000.0 * n + index]
    store.close()


def test_frames_that_cannot_be_placed_hold_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> bool:
        raise sqlite3.DatabaseError("the page of the chunks is damaged")

    monkeypatch.setattr(upkeep, "apply", damaged)
    store = SqliteTelemetry(tmp_path / "t.db", hold_s=LONG_S)
    for n in range(3):
        store.write([part(n, FRAMED_ROWS), part(n, 3, machine="acme.m2")], n)
        assert store.durable_position() == n
    assert audit(store.identities(PUMP)) == ({("b1", "live"): [(0, 3 * FRAMED_ROWS - 1)]}, 0)
    store.close()


def test_a_disk_that_fails_once_is_not_believed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    store = holding(tmp_path)
    store.write([part(0, 10)], 0)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "sync_log", broken)
        with pytest.raises(StoreCorrupt, match="Input/output error"):
            store.durable_position()
    with pytest.raises(StoreCorrupt, match="start again"):
        store.durable_position()
    store.close()


def test_a_reader_does_not_wait_for_another_process_that_writes(tmp_path: Path) -> None:
    store = holding(tmp_path)
    store.write([part(0, 10)], 0)
    store.durable_position()
    store.write([part(1, 10)], 1)
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        assert len(store.series(PUMP, "temp", *EVER, MANY).times_ns) == 10
    trouble = store.trouble()
    assert trouble is not None
    assert "locked" in trouble
    other.execute("ROLLBACK")
    other.close()
    assert store.durable_position() == 1
    assert store.trouble() is None
    store.close()
