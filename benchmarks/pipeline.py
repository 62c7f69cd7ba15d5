"""The whole path behind the broker, beside what one would write in an afternoon.

Ours: decode → order and repeats → journal (synced) → store → score → ledger, in groups of 256, with
all compaction done before the clock stops. The naive pipeline: `json.loads` of row dictionaries,
one river HalfSpaceTrees(25, 8) a device (score, then learn), `executemany` with a commit a message
(SQLite, WAL, NORMAL). Same samples, CPU time of the whole process, which is kept on one core: two
threads on one core's two hardware threads would each be charged for waiting for the other.
"""

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, cpu
from benchmarks.workload import plant_rows
from cloud.decode import Decoder
from cloud.filings import Filings
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.ledger import open_ledger
from cloud.pipeline import Pipeline
from cloud.reader import Arrived
from cloud.sequence import Sequencer
from cloud.telemetry.sqlite import SqliteTelemetry
from models.contract import codec, topics
from models.contract.messages import Batch, Column
from models.fleet import Fleet
from models.profile import load_profiles

SIGNALS = 10
START_NS = 1_790_000_000 * 10**9
BOOT = "0190aaaa-0000-7000-8000-000000000000"
GROUP = 256
WARM = 3  #: rounds before the clock runs: half-space trees score nothing in their first 250 rows


def messages(
    values: NDArray[np.float64], samples: int, form: str
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield, round by round, each device's next batch. `values`: (devices, rows, signals)."""
    devices, rows, _ = values.shape
    for first in range(0, rows - samples + 1, samples):
        yield [
            _message(device, first, values[device, first : first + samples], form)
            for device in range(devices)
        ]


def _message(device: int, first: int, part: NDArray[np.float64], form: str) -> tuple[str, bytes]:
    topic = topics.up(f"bench.d{device}", "t", "live")
    t0 = START_NS + first * 10**9
    if form == "rows":
        rows = [
            {"t": t0 + i * 10**9, **{f"s{j}": v for j, v in enumerate(row)}}
            for i, row in enumerate(part.tolist())
        ]
        return topic, json.dumps(rows).encode()
    columns = {
        f"s{j}": Column(type="d", data=np.ascontiguousarray(part[:, j]).tobytes())
        for j in range(part.shape[1])
    }
    batch = Batch(
        boot=BOOT,
        seq=first,
        unreceipted=max(0, first - len(part)),
        t0_ns=t0,
        count=len(part),
        offsets_ns=10**9,
        columns=columns,
    )
    return topic, codec.encode(batch, "json" if form == "json" else "cbor")


class Clock:
    """CPU seconds of the calling thread, by part of the path."""

    def __init__(self) -> None:
        self.spent_ns: Counter[str] = Counter()

    def on(self, part: str, owner: object, method: str) -> None:
        """Count what calls of an object's method take, but for what is counted within."""
        call = getattr(owner, method)

        def counted(*arguments: object) -> object:
            begin, within = time.thread_time_ns(), self.spent_ns.total()
            try:
                return call(*arguments)
            finally:
                inner = self.spent_ns.total() - within
                self.spent_ns[part] += time.thread_time_ns() - begin - inner

        setattr(owner, method, counted)


def ours(
    sent: list[tuple[str, bytes]], warm: list[tuple[str, bytes]]
) -> tuple[float, float, Counter[str]]:
    """Return CPU seconds for taking `sent` the whole way, bytes on disk, and CPU ns by part."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profiles = load_profiles()
        telemetry = SqliteTelemetry(folder / "telemetry.db")
        ledger = open_ledger(f"sqlite:///{folder}/ledger.db", time.time_ns, profiles)
        journal = SegmentJournal(folder / "journal")
        ingest = Ingest(journal, Sequencer())
        pipeline = Pipeline(Decoder(), Fleet(profiles), telemetry, Filings(ledger))

        clock = Clock()
        clock.on("journal", journal, "append")
        clock.on("read, order and repeats", ingest, "handle")
        clock.on("decode", pipeline.decoder, "decode")
        clock.on("store, ingest thread and end", telemetry, "write")
        clock.on("store, ingest thread and end", telemetry, "compact")
        clock.on("store, ingest thread and end", telemetry, "durable_position")
        clock.on("score", pipeline.fleet, "observe")
        clock.on("ledger", ledger, "file")
        clock.on("between", pipeline, "apply")

        def take(part: list[tuple[str, bytes]]) -> None:
            for at in range(0, len(part), GROUP):
                now = time.time_ns()
                group = [Arrived(topic, body, now) for topic, body in part[at : at + GROUP]]
                handled = ingest.handle(group, now)
                pipeline.apply(handled.records, handled.messages)

        for part in (warm[: len(warm) // 2], warm[len(warm) // 2 :]):
            take(part)
            telemetry.compact()  # its kernels, those that renew pages too, are loaded by then
        clock.spent_ns.clear()
        begin = cpu()
        take(sent)
        telemetry.compact()
        telemetry.durable_position()
        spent = cpu() - begin
        telemetry.close()
        journal.close()
        ledger.close()
        assert ingest.counters.accepted == len(warm) + len(sent)
        inside_ns = clock.spent_ns.total()
        clock.spent_ns["store, its thread, and all else"] = round(spent * 1e9) - inside_ns
        return spent, (folder / "telemetry.db").stat().st_size, clock.spent_ns


def naive(sent: list[tuple[str, bytes]], warm: list[tuple[str, bytes]]) -> float:
    """Return the CPU seconds of the naive pipeline for the same samples as row dictionaries."""
    from river.anomaly import HalfSpaceTrees

    with tempfile.TemporaryDirectory() as name:
        database = sqlite3.connect(f"{name}/naive.db")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("CREATE TABLE reading (device, t, signal, value)")
        models: dict[str, HalfSpaceTrees] = {}
        scores = 0.0

        def take(part: list[tuple[str, bytes]]) -> None:
            nonlocal scores
            for topic, body in part:
                model = models.setdefault(topic, HalfSpaceTrees(n_trees=25, height=8, seed=1))
                rows = []
                for row in json.loads(body):
                    t = row.pop("t")
                    scores += model.score_one(row)
                    model.learn_one(row)
                    rows += [(topic, t, signal, value) for signal, value in row.items()]
                database.executemany("INSERT INTO reading VALUES (?, ?, ?, ?)", rows)
                database.commit()

        take(warm)
        begin = cpu()
        take(sent)
        spent = cpu() - begin
        database.close()
        return spent


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, with the threads that it starts, on one core where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(devices: int = 50, samples: int = 100, rounds: int = 120) -> list[Figure]:
    """Measure binary and JSON batches against the naive pipeline in this process."""
    with one_core():
        return _run(devices, samples, rounds)


def _run(devices: int, samples: int, rounds: int) -> list[Figure]:
    values = plant_rows(devices, samples * (rounds + WARM), signals=SIGNALS, seed=1)
    figures = []
    few = max(1, rounds // 20)
    sent = {
        form: [m for r in messages(values, samples, form) for m in r]
        for form in ("cbor", "json", "rows")
    }
    warm = WARM * devices
    count = rounds * devices * samples * SIGNALS
    slow = naive(sent["rows"][warm : warm + few * devices], sent["rows"][:warm])
    base = few * devices * samples * SIGNALS / slow
    figures.append(Figure("naive pipeline", base, "values/CPU-s"))
    for form in ("cbor", "json"):
        spent, size, parts = ours(sent[form][warm:], sent[form][:warm])
        rate = count / spent
        figures.append(Figure(f"forewarn, {form} batches of {samples}", rate, "values/CPU-s"))
        figures.append(Figure(f"  ratio, {form}", rate / base, "x"))
        for part, took_ns in parts.most_common():
            figures.append(Figure(f"  {part}", took_ns / count, "ns/value"))
        stored = count + warm * samples * SIGNALS
        figures.append(Figure("  telemetry file", size / stored, "bytes/value"))
    return figures
