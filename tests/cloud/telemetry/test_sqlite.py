"""The SQLite store by itself: what the conformance suite does not ask of every store."""

import sqlite3
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import zstandard

from cloud.errors import StoreBusy, StoreCorrupt, StoreFull
from cloud.telemetry import chunk, upkeep
from cloud.telemetry.checks import EVER, MANY, SECOND_NS, T0, agree_buckets, block
from cloud.telemetry.compaction import DUE_ROWS
from cloud.telemetry.identity import audit
from cloud.telemetry.reference import Reference
from cloud.telemetry.sqlite import DAY_NS, SqliteTelemetry
from models.rows import Block

PUMP = "acme.pump1"


def quiet(path: Path, **more: int) -> SqliteTelemetry:
    return SqliteTelemetry(path / "t.db", background=False, hold_s=0.0, **more)


def minutes(n: int, first: int, count: int, **more: object) -> Block:
    """One sample a minute: the numbers from `first` on."""
    values = np.arange(first, first + count) / 10
    times = T0 + 60 * SECOND_NS * np.arange(first, first + count)
    return block(times, {"temp": values}, n=n, seq=first, **more)


def count(path: Path, table: str) -> int:
    db = sqlite3.connect(path / "t.db")
    rows = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return int(rows)


def test_the_thread_compacts_what_is_due(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db", hold_s=0.0)
    position = 0
    store.write([minutes(0, 0, 3 * DUE_ROWS)], position)
    while store.backlog() >= DUE_ROWS:
        position += 1
        store.write([], position)
    series = store.series(PUMP, "temp", *EVER, MANY)
    store.close()
    assert series.values.tolist() == (np.arange(3 * DUE_ROWS) / 10).tolist()
    assert count(tmp_path, "frame") == 3


def test_readers_see_whole_writes_while_compaction_goes_on(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db")
    done = threading.Event()

    def read() -> int:
        seen = 0
        while not done.is_set():
            values = store.series(PUMP, "temp", *EVER, MANY).values
            assert len(values) >= seen
            assert values.tolist() == (np.arange(len(values)) / 10).tolist()
            seen = len(values)
        return seen

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for n in range(100):
            store.write([minutes(n, 500 * n, 500), minutes(n, 0, 5, machine=f"acme.m{n}")], n)
            if n % 10 == 9:
                assert store.erase(f"acme.m{n}") == 5
        done.set()
        assert reader.result() <= 50_000
    found, repeats = audit(store.identities(PUMP))
    store.close()
    assert (found, repeats) == ({("b1", "live"): [(0, 49_999)]}, 0)


def test_small_frames_become_few(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    for n in range(30):
        store.write([minutes(n, 10 * n, 10)], n)
        store.compact()
    series = store.series(PUMP, "temp", *EVER, MANY)
    found, repeats = audit(store.identities(PUMP))
    store.close()
    assert count(tmp_path, "frame") < 10
    assert series.values.tolist() == (np.arange(300) / 10).tolist()
    assert (found, repeats) == ({("b1", "live"): [(0, 299)]}, 0)


def test_late_samples_lie_in_a_frame_of_their_own(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 1_000_000, 100), minutes(0, 0, 2)], 0)
    store.compact()
    store.close()
    assert count(tmp_path, "frame") == 2


def test_changing_columns_share_a_frame(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    rng = np.random.default_rng(3)
    names = [f"s{k}" for k in range(8)]
    reference = Reference()
    for n in range(40):
        chosen = rng.choice(names, 3, replace=False).tolist()
        given = block([T0 + n], {name: np.array([n + 0.25]) for name in chosen}, n=n, seq=n)
        store.write([given], n)
        reference.write([given], n)
    store.compact()
    for name in names:
        series = store.series(PUMP, name, *EVER, MANY)
        expected = reference.series(PUMP, name, *EVER, MANY)
        assert series.values.tolist() == [sample.value for sample in expected]
        first = store.series(PUMP, name, *EVER, 3)
        assert first.times_ns.tolist() == [sample.at_ns for sample in expected[:3]]
    assert store.latest(PUMP) == reference.latest(PUMP)
    found, repeats = audit(store.identities(PUMP))
    assert (found, repeats) == ({("b1", "live"): [(0, 39)]}, 0)
    store.close()
    assert count(tmp_path, "frame") == 1


def test_numbers_go_on_after_compaction_and_restart(tmp_path: Path) -> None:
    for n in range(3):
        store = quiet(tmp_path)
        store.write([block([T0], {"temp": np.array([float(n)])}, n=n, seq=n)], n)
        store.compact()
        store.close()
    store = quiet(tmp_path)
    assert store.series(PUMP, "temp", *EVER, MANY).values.tolist() == [0.0, 1.0, 2.0]
    store.close()


def test_an_audit_sees_what_is_stored_twice(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 0, 10)], 0)
    store.compact()
    store.write([minutes(1, 7, 10)], 1)
    found, repeats = audit(store.identities(PUMP))
    store.close()
    assert found == {("b1", "live"): [(0, 16)]}
    assert repeats == 3


def test_trimming_keeps_minutes_then_hours(tmp_path: Path) -> None:
    store, reference = quiet(tmp_path), Reference()
    for day in range(5):
        given = minutes(day, 1440 * day, 1440)
        store.write([given], day)
        store.compact()
        reference.write([given], day)
    end = T0 + 5 * DAY_NS
    span = (T0 // DAY_NS * DAY_NS, end)
    store.trim(end, raw_ns=DAY_NS, minutes_ns=3 * DAY_NS)
    left = store.series(PUMP, "temp", *EVER, MANY)
    assert len(left.times_ns) == 1440 * 2  # the frame that the limit cuts is kept whole
    for width in (3600, 6 * 3600, 86_400):
        got = store.buckets(PUMP, "temp", *span, width * SECOND_NS)
        agree_buckets(got, reference.buckets(PUMP, "temp", *span, width * SECOND_NS))
    recent = (end - 2 * DAY_NS, end - DAY_NS)
    got = store.buckets(PUMP, "temp", *recent, 60 * SECOND_NS)
    assert len(got.start_ns) == 1440
    old = store.buckets(PUMP, "temp", T0, end - 4 * DAY_NS, 60 * SECOND_NS)
    assert int(old.count.max()) == 60
    store.close()


def test_trimming_goes_by_the_machines_own_time(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 0, 100), minutes(0, 0, 100, machine="acme.old")], 0)
    store.trim(T0 + 1000 * DAY_NS, data_time={PUMP})
    assert len(store.series(PUMP, "temp", *EVER, MANY).times_ns) == 100
    assert len(store.series("acme.old", "temp", *EVER, MANY).times_ns) == 0
    assert len(store.buckets("acme.old", "temp", T0, T0 + DAY_NS, 3600 * SECOND_NS).count) > 0
    store.close()


def test_history_of_a_machine_with_its_own_time_is_not_past_its_retention(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 0, 100, historical=True)], 0)
    store.trim(T0 + 1000 * DAY_NS, data_time={PUMP})
    assert len(store.series(PUMP, "temp", *EVER, MANY).times_ns) == 100
    store.close()


def sets(first: int, count: int, at_ns: int) -> list[Block]:
    """One sample of each of some sets of signals."""
    return [
        block([at_ns + k], {f"s{k}": np.array([float(k)])}, n=k, seq=k)
        for k in range(first, first + count)
    ]


def test_sets_of_signals_that_nothing_has_any_more_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = quiet(tmp_path)
    monkeypatch.setattr(upkeep, "KEPT_LAYOUTS", 20)
    store.write(sets(0, 50, T0), 0)
    late = T0 + 9 * DAY_NS
    store.write([minutes(0, 9 * 1440, 10), *sets(0, 3, late)], 1)
    find = upkeep.unused_layouts

    def meanwhile(db: sqlite3.Connection) -> list[int]:
        found = find(db)
        store.write(sets(10, 3, late), 2)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(upkeep, "unused_layouts", meanwhile)
        store.trim(late + DAY_NS, raw_ns=2 * DAY_NS)
    assert count(tmp_path, "layout") == 4, "one that compaction made, three asked for meanwhile"
    store.write(sets(20, 3, late), 3)
    for again in (store, quiet(tmp_path)):
        for k in (0, 1, 2, 10, 11, 12, 20, 21, 22):
            assert again.series(PUMP, f"s{k}", *EVER, MANY).values.tolist() == [k]
        assert again.series(PUMP, "s3", *EVER, MANY).values.tolist() == []
        again.close()


def test_all_sets_of_signals_that_nothing_has_are_forgotten_however_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = quiet(tmp_path)
    monkeypatch.setattr(upkeep, "KEPT_LAYOUTS", 20)
    monkeypatch.setattr(upkeep, "DROPPED_LAYOUTS", 7)
    store.write(sets(0, 50, T0), 0)
    late = T0 + 9 * DAY_NS
    store.write(sets(50, 2, late), 1)
    store.trim(late + DAY_NS, raw_ns=2 * DAY_NS)
    assert count(tmp_path, "layout") <= 20
    store.close()


def test_a_store_too_full_for_what_it_holds_can_be_trimmed(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db", max_bytes=400_000, background=False, hold_s=60.0)
    rng = np.random.default_rng(0)
    times = T0 + SECOND_NS * np.arange(200_000)
    store.write([block(times, {"temp": rng.normal(size=len(times))})], 0)
    with pytest.raises(StoreFull):
        store.durable_position()
    store.trim(T0 + DAY_NS)
    assert store.position() == 0
    store.close()


def test_erased_bytes_are_gone_from_the_file(tmp_path: Path) -> None:
    secret = np.frombuffer(b"SECRET42" * 500, np.float64)
    store = quiet(tmp_path)
    store.write([block(T0 + np.arange(500), {"temp": secret})], 0)
    store.durable_position()
    assert b"SECRET42" in (tmp_path / "t.db-wal").read_bytes()
    assert store.erase(PUMP) == 500
    for name in ("t.db", "t.db-wal"):
        assert b"SECRET42" not in (tmp_path / name).read_bytes()
    store.close()
    assert b"SECRET42" not in (tmp_path / "t.db").read_bytes()


def test_an_interrupted_erasure_ends_at_the_next_start(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 0, 100)], 0)
    store.compact()
    store.close()
    db = sqlite3.connect(tmp_path / "t.db")
    db.execute("UPDATE machine SET name = char(0) || 'gone 1'")
    db.commit()
    db.close()
    quiet(tmp_path).close()
    for table in ("machine", "signal", "frame", "chunk", "rollup", "fresh"):
        assert count(tmp_path, table) == 0


@pytest.mark.parametrize(
    ("table", "column", "compacted"),
    [("fresh", "body", False), ("chunk", "body", True), ("frame", "times", True)],
)
def test_a_damaged_row_is_named(tmp_path: Path, table: str, column: str, compacted: bool) -> None:
    store = quiet(tmp_path)
    store.write([minutes(0, 0, 50)], 0)
    if compacted:
        store.compact()
    db = sqlite3.connect(tmp_path / "t.db")
    number, body = db.execute(f"SELECT id, {column} FROM {table}").fetchone()
    broken = body[:20] + bytes([body[20] ^ 255]) + body[21:]
    db.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (broken, number))
    db.commit()
    db.close()
    with pytest.raises(StoreCorrupt, match=rf"t\.db, table {table}, row {number}: .*checksum"):
        store.series(PUMP, "temp", *EVER, MANY)
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE position SET n = n + 1024",
        "UPDATE frame SET rows = rows + 65536",
        "UPDATE frame SET rows = rows - 1",
        "UPDATE layout SET spec = replace(spec, '[', '{')",
        "DELETE FROM source",
    ],
)
def test_a_number_that_changed_is_not_believed(tmp_path: Path, change: str) -> None:
    with closing(quiet(tmp_path)) as store:
        store.write([minutes(0, 0, 500)], 0)
        store.compact()
    with closing(sqlite3.connect(tmp_path / "t.db")) as db, db:
        assert db.execute(change).rowcount
    with pytest.raises(StoreCorrupt, match=r"t\.db"):
        read_all(tmp_path)


def read_all(path: Path) -> None:
    with closing(quiet(path)) as store:
        store.series(PUMP, "temp", *EVER, MANY)
        list(store.identities(PUMP))


def test_a_blob_that_claims_gigabytes_is_refused() -> None:
    body = zstandard.ZstdCompressor().compress(bytes(chunk.LARGEST + 1))
    assert len(body) < 1 << 14
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(chunk.LARGEST + 1))
    for one in (body, unsized):
        with pytest.raises(StoreCorrupt, match="here"):
            chunk.unseal(zlib.crc32(one).to_bytes(4, "little") + one, "here")


def test_a_full_store_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = quiet(tmp_path, max_bytes=512 << 10)
    position = -1
    raised: StoreFull | None = None
    while raised is None:
        try:
            store.write([minutes(position + 1, 1000 * position + 1000, 1000)], position + 1)
            position += 1
        except StoreFull as error:
            raised = error
    assert "t.db (" in str(raised)
    assert "has no room left" in str(raised)
    assert store.position() == position
    assert len(store.series(PUMP, "temp", *EVER, MANY).times_ns) == 1000 * (position + 1)
    store.erase(PUMP)
    store.write([minutes(0, 0, 10)], position + 1)
    assert len(store.series(PUMP, "temp", *EVER, MANY).times_ns) == 10
    store.close()


def test_a_locked_file_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.telemetry.database.BUSY_MS", 10)
    store = quiet(tmp_path)
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match=r"t\.db cannot be used just now"):
        store.write([minutes(0, 0, 10)], 0)
    other.execute("ROLLBACK")
    other.close()
    store.write([minutes(0, 0, 10)], 0)
    assert store.position() == 0
    store.close()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "t.db")
    db.execute("CREATE TABLE note (text)")
    db.close()
    with pytest.raises(StoreCorrupt, match="is not a telemetry file"):
        quiet(tmp_path)
    (tmp_path / "t.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreCorrupt, match=r"t\.db cannot be read"):
        quiet(tmp_path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreBusy, match="is closed"):
        store.write([], 1)
    with pytest.raises(StoreBusy, match="is closed"):
        store.latest(PUMP)


def test_a_day_is_found_by_index(tmp_path: Path) -> None:
    store = quiet(tmp_path)
    store.close()
    db = sqlite3.connect(tmp_path / "t.db")
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT id, layout, rows, start_ns, end_ns FROM frame "
        "WHERE machine = 1 AND wide = 0 AND start_ns >= 0 AND start_ns < 9 AND end_ns >= 0"
    ).fetchall()
    db.close()
    assert "USING COVERING INDEX frame_span (machine=? AND wide=? AND start_ns>?" in plan[0][3]
