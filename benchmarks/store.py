"""Telemetry store beside SQLite `executemany`, one row a value; same values, same run.

CPU time is that of the whole process, compaction thread included. The day is 86,400 samples of one
signal of a ten-signal machine; its time is the median of 30 reads.
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
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block

START_NS = 1_790_000_000 * 10**9
SECOND_NS = 10**9
BATCH = 100
SIGNALS = 10
NAMES = tuple(f"s{j}" for j in range(SIGNALS))
READS = 30
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


def median_ms(action: Callable[[], object]) -> float:
    """Return the median wall time of an action in milliseconds."""
    times = []
    for _ in range(READS):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def size(store: SqliteTelemetry, path: Path) -> tuple[int, int]:
    """Return the bytes of the file after a checkpoint, and of its pages in use."""
    store.durable_position()
    db = sqlite3.connect(path)
    page, free = (db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_size", "freelist_count"))
    db.close()
    total = path.stat().st_size
    return total, total - page * free


def run(machines: int = 20, rows: int = DAY_ROWS) -> list[Figure]:
    """Measure writing, compaction, reading and size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm = SqliteTelemetry(folder / "warm.db", background=False)
        fill(warm, blocks(plant_rows(1, 10_000, SIGNALS, seed=9)))
        warm.compact()
        warm.series("bench.m0", "s0", 0, 2**62, DAY_ROWS)
        warm.close()
        out = _written(folder, machines, rows)
        return [*out, *_noise(folder)]


def _written(folder: Path, machines: int, rows: int) -> list[Figure]:
    values = plant_rows(machines, rows, SIGNALS, seed=1)
    rounds = blocks(values)
    count = machines * rows * SIGNALS
    plain = SqliteTelemetry(folder / "plain.db", background=False)
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
    spent = (cpu() - begin) / count
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
        Figure(
            "a day of one signal",
            median_ms(lambda: store.series("bench.m3", "s1", START_NS, end, DAY_ROWS)),
            "ms",
        ),
        Figure("latest of a machine", median_ms(lambda: store.latest("bench.m3")), "ms"),
        Figure(
            "a day in minutes",
            median_ms(lambda: store.buckets("bench.m3", "s1", START_NS, end, 60 * SECOND_NS)),
            "ms",
        ),
    ]
    whole = store.series("bench.m3", "s1", START_NS, end, DAY_ROWS)
    assert np.array_equal(whole.values.view(np.int64), values[3, :, 1].copy().view(np.int64))
    store.close()
    return figures


def _noise(folder: Path) -> list[Figure]:
    path = folder / "noise.db"
    store = SqliteTelemetry(path)
    rounds = blocks(noise_rows(5, 40_000, SIGNALS, seed=2))
    fill(store, rounds)
    store.compact()
    out = size(store, path)[1] / (5 * 40_000 * SIGNALS)
    store.close()
    return [Figure("full-precision noise (no goal)", out, "bytes a value")]
