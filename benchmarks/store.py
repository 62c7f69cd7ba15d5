"""Telemetry store beside SQLite `executemany`, one row a value; same values, same run.

CPU time is that of the whole process, compaction thread included. The day is 86,400 samples of one
signal of a ten-signal machine, 90 days those of a machine with one; times are of 200 reads. Sizes
are taken when compaction has done what is due.
"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, cpu
from benchmarks.workload import DAY_ROWS, noise_rows, plant_rows
from cloud.telemetry import Buckets
from cloud.telemetry.compaction import DUE_ROWS
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block

START_NS = 1_790_000_000 * 10**9
SECOND_NS = 10**9
BATCH = 100
SIGNALS = 10
NAMES = tuple(f"s{j}" for j in range(SIGNALS))
READS = 200
DAYS = 90
POINTS = 500
INDEXED = ", PRIMARY KEY (machine, signal, t)) WITHOUT ROWID"
BARE = ")"  #: no index: quicker to write, and a day of one signal reads the whole table


def blocks(values: NDArray[np.float64]) -> list[list[Block]]:
    """Cut readings (machines, rows, signals) into batches, one list a round."""
    machines, rows, _ = values.shape
    return [
        [
            Block(
                n=first // BATCH,
                machine=f"bench.m{machine}",
                device=f"bench.m{machine}",
                boot="0190aaaa-0000-7000-8000-000000000000",
                stream="live",
                seq=first,
                times_ns=START_NS + SECOND_NS * np.arange(first, first + BATCH),
                received_ns=START_NS + SECOND_NS * (first + BATCH),
                signals=NAMES,
                columns=tuple(values[machine, first : first + BATCH].T.copy()),
            )
            for machine in range(machines)
        ]
        for first in range(0, rows, BATCH)
    ]


def fill(store: SqliteTelemetry, rounds: list[list[Block]]) -> float:
    """Write all; return the wall seconds of the longest call."""
    longest = 0.0
    for number, group in enumerate(rounds):
        begin = time.perf_counter()
        store.write(group, number)
        longest = max(longest, time.perf_counter() - begin)
    return longest


def rows_of(rounds: list[list[Block]]) -> list[list[tuple[str, str, int, float]]]:
    """Return the same values as rows for `executemany`, one list a batch."""
    return [
        [
            (block.machine, name, when, value)
            for name, column in zip(block.signals, block.columns, strict=True)
            for when, value in zip(block.times_ns.tolist(), column.tolist(), strict=True)
        ]
        for group in rounds
        for block in group
    ]


def naive(path: Path, batches: list[list[tuple[str, str, int, float]]], key: str) -> float:
    """Return the CPU seconds of one row a value, one commit a batch; `key`: how it is indexed."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(f"CREATE TABLE reading (machine TEXT, signal TEXT, t INTEGER, value REAL{key}")
    begin = cpu()
    for batch in batches:
        db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?)", batch)
        db.commit()
    spent = cpu() - begin
    db.close()
    return spent


def times_of(name: str, action: Callable[[], object]) -> list[Figure]:
    """Return the median and the 99th percentile of an action's wall time."""
    took = []
    for _ in range(READS):
        begin = time.perf_counter()
        action()
        took.append((time.perf_counter() - begin) * 1000)
    return [
        Figure(f"{name}, p50", statistics.median(took), "ms"),
        Figure(f"{name}, p99", float(np.percentile(took, 99)), "ms"),
    ]


def rest(store: SqliteTelemetry, machines: int, position: int) -> None:
    """Let compaction do what is due, as a service that goes on being written to does."""
    while store.backlog() >= machines * DUE_ROWS:
        position += 1
        store.write([], position)


def size(store: SqliteTelemetry, path: Path) -> tuple[int, int]:
    """Return the bytes of the file with its log written back, and of its pages in use."""
    store.durable_position()
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page, free = (db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_size", "freelist_count"))
    db.close()
    total = path.stat().st_size + path.with_name(path.name + "-wal").stat().st_size
    return total, total - page * free


def run(machines: int = 20, rows: int = DAY_ROWS) -> list[Figure]:
    """Measure writing, compaction, reading and size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm = SqliteTelemetry(folder / "warm.db", background=False, hold_s=0.0)
        fill(warm, blocks(plant_rows(1, 10_000, SIGNALS, seed=9)))
        warm.compact()
        warm.series("bench.m0", "s0", 0, 2**62, DAY_ROWS)
        warm.close()
        out = _written(folder, machines, rows)
        return [*out, *_long(folder), *_noise(folder)]


def _written(folder: Path, machines: int, rows: int) -> list[Figure]:
    values = plant_rows(machines, rows, SIGNALS, seed=1)
    rounds = blocks(values)
    count = machines * rows * SIGNALS
    plain = SqliteTelemetry(folder / "plain.db", background=False, hold_s=0.0)
    few = rounds[: len(rounds) // 10]
    begin = cpu()
    fill(plain, few)
    writing = (cpu() - begin) / (len(few) * machines * BATCH * SIGNALS)
    begin = cpu()
    plain.compact()
    compacting = (cpu() - begin) / (len(few) * machines * BATCH * SIGNALS)
    plain.close()
    path = folder / "store.db"
    store = SqliteTelemetry(path)
    begin = cpu()
    longest = fill(store, rounds)
    store.durable_position()  # what is held belongs to it
    spent = (cpu() - begin) / count
    rest(store, machines, len(rounds))
    as_rows = rows_of([group[:1] for group in rounds[:100]])
    peer = naive(folder / "naive.db", as_rows, INDEXED) / (100 * BATCH * SIGNALS)
    bare = naive(folder / "bare.db", as_rows, BARE) / (100 * BATCH * SIGNALS)
    end = START_NS + DAY_ROWS * SECOND_NS
    total, used = size(store, path)
    figures = [
        Figure("write alone", writing * 1e6, "µs CPU a value"),
        Figure("compaction alone", compacting * 1e6, "µs CPU a value"),
        Figure("write with compaction on", 1e-6 / spent, "M values a CPU second"),
        Figure("executemany, one row a value", 1e-6 / peer, "M values a CPU second"),
        Figure("executemany, no index", 1e-6 / bare, "M values a CPU second"),
        Figure("ratio to executemany, compaction on", peer / spent, "×"),
        Figure("ratio to executemany without index", bare / spent, "×"),
        Figure("longest write call", longest * 1000, "ms"),
        Figure("file, fresh rows and roll-ups included", total / count, "bytes a value"),
        Figure("the same without free pages", used / count, "bytes a value"),
        Figure(
            "executemany, file",
            (folder / "naive.db").stat().st_size / (100 * BATCH * SIGNALS),
            "bytes a value",
        ),
        *times_of(
            "a day of one signal",
            lambda: store.series("bench.m3", "s1", START_NS, end, DAY_ROWS),
        ),
        *times_of("latest of a machine", lambda: store.latest("bench.m3")),
        *times_of(
            f"a day of one signal at {POINTS} points",
            lambda: store.buckets("bench.m3", "s1", START_NS, end, width_for(end - START_NS)),
        ),
    ]
    whole = store.series("bench.m3", "s1", START_NS, end, DAY_ROWS)
    assert np.array_equal(whole.values.view(np.int64), values[3, :, 1].copy().view(np.int64))
    store.close()
    return figures


def width_for(span_ns: int) -> int:
    """Return the width of at most `POINTS` buckets, in whole minutes or hours, as the API asks."""
    width = -(-span_ns // POINTS)
    unit = HOUR_NS if width > HOUR_NS else MINUTE_NS
    return -(-width // unit) * unit


def long_blocks() -> tuple[list[Block], int]:
    """Return hours of one signal of a machine over 90 days, and the place of its one spike."""
    day = plant_rows(1, DAY_ROWS, 1, seed=5)[0, :, 0]
    spike = DAY_ROWS * 41 + 12_345
    out = []
    for first in range(0, DAYS * DAY_ROWS, 3_600):
        values = day[first % DAY_ROWS : first % DAY_ROWS + 3_600].copy()
        if first <= spike < first + 3_600:
            values[spike - first] = 1e6
        out.append(_hour(first, values))
    return out, spike


def _hour(first: int, values: NDArray[np.float64]) -> Block:
    return Block(
        n=first,
        machine="bench.long",
        device="bench.long",
        boot="0190aaaa-0000-7000-8000-000000000000",
        stream="live",
        seq=first,
        times_ns=START_NS + SECOND_NS * np.arange(first, first + len(values)),
        received_ns=0,
        signals=("s0",),
        columns=(values,),
    )


def _long(folder: Path) -> list[Figure]:
    store = SqliteTelemetry(folder / "long.db", background=False)
    hours, spike = long_blocks()
    for number, hour in enumerate(hours):
        store.write([hour], number)
        if number % 24 == 23:
            store.compact()
    end = START_NS + DAYS * DAY_ROWS * SECOND_NS

    def ask() -> Buckets:
        return store.buckets("bench.long", "s0", START_NS, end, width_for(end - START_NS))

    found = ask()
    assert found.max.max() == 1e6, "the spike is hidden"
    assert found.max_ns[found.max.argmax()] == START_NS + spike * SECOND_NS
    assert int(found.count.sum()) == DAYS * DAY_ROWS
    out = times_of(f"{DAYS} days of one signal at {POINTS} points", ask)
    store.close()
    return out


def _noise(folder: Path) -> list[Figure]:
    path = folder / "noise.db"
    store = SqliteTelemetry(path)
    rounds = blocks(noise_rows(5, 40_000, SIGNALS, seed=2))
    fill(store, rounds)
    store.compact()
    out = size(store, path)[1] / (5 * 40_000 * SIGNALS)
    store.close()
    return [Figure("full-precision noise (no goal)", out, "bytes a value")]
