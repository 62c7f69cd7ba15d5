"""The InfluxDB store alone: lines, requests, answers, and an hour without the server.

Lines and requests are compared with influxdb-client (`Point`, and its bulk path); answers are wall
times at the client, with 1,000 values a second arriving (but for "just written"). The hour is 5,000
values a second, all given at once: what waits is what would wait, only the clock is quicker.
"""

import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS

from benchmarks import batches
from benchmarks.report import Figure, cpu
from benchmarks.store import DAYS, NAMES, POINTS, START_NS, blocks, long_blocks, width_for
from benchmarks.workload import plant_rows
from cloud import telemetry
from cloud.telemetry.influx import lines, setup
from cloud.telemetry.influx.http import Connection, Server
from cloud.telemetry.influx.server import Influxd, find, running
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.store import InfluxTelemetry
from models.rows import Block

SECOND_NS = 10**9
DAY = 86_400
SPIKE = 1e6
READS = 200
READS_ARRIVING = 1_000  #: some seconds of asking, in which readings arrive
SETTLE_S = 300.0
SETTLED_BYTES = 100_000
CACHED = "storage_cache_inuse_bytes{"
ROWS = 100_000
POINT_ROWS = 3_000
OUTAGE_S = 3_600
VALUES_PER_S = 5_000


def opened(server: Server, folder: Path, prefix: str) -> InfluxTelemetry:
    """Open a store with buckets of its own that keep everything."""
    retention = Retention(raw_days=0, minute_days=0)
    setup.make_buckets(server, Buckets.of(prefix), retention)
    return InfluxTelemetry(folder, server, now=time.time_ns, prefix=prefix, retention=retention)


def line_figures(server: Server) -> Iterator[Figure]:
    """Compare making and sending lines with influxdb-client."""
    values = plant_rows(1, ROWS, 10, seed=2)[0]
    times = START_NS + SECOND_NS * np.arange(ROWS)
    rows, fields = batches.of(np.ascontiguousarray(values.T)), batches.FIELDS
    room = lines.Room()
    lines.write(rows, fields, room)
    begin = cpu()
    body = lines.write(rows, fields, room)
    ours = values.size / (cpu() - begin)
    begin = cpu()
    for at, row in zip(times[:POINT_ROWS].tolist(), values[:POINT_ROWS].tolist(), strict=True):
        point = Point("reading").tag("machine", "bench.m0").tag("stream", "live").time(at)
        for name, value in zip(NAMES, row, strict=True):
            point = point.field(name, value)
        point.to_line_protocol()
    theirs = POINT_ROWS * 10 / (cpu() - begin)
    yield Figure("lines, compiled", ours / 1e6, "M values/CPU-s")
    yield Figure("lines, influxdb-client Point", theirs / 1e6, "M values/CPU-s")
    yield Figure("  ratio", ours / theirs, "x")
    yield Figure("  bytes a value", len(body) / values.size, "bytes")
    yield from _sending(server, bytes(body), values.size)


def _sending(server: Server, body: bytes, count: int) -> Iterator[Figure]:
    parts = [
        b"".join(body.splitlines(keepends=True)[at : at + 5000]) for at in range(0, ROWS, 5000)
    ]
    setup.make_buckets(server, Buckets.of("sending"), Retention(raw_days=0))

    def cost(send: Callable[[bytes], object]) -> float:
        begin = cpu()
        for part in parts:
            send(part)
        return count / (cpu() - begin) / 1e6

    plain = Connection(server)
    zipped = Connection(Server(url=server.url, org=server.org, token=server.token, gzip=True))
    yield Figure("sending, pooled", cost(lambda b: plain.write("sending", b)), "M values/CPU-s")
    yield Figure(
        "sending, pooled, gzip", cost(lambda b: zipped.write("sending", b)), "M values/CPU-s"
    )
    with InfluxDBClient(server.url, server.token, org=server.org) as client:
        api = client.write_api(write_options=SYNCHRONOUS)
        bulk = cost(lambda b: api.write("sending", server.org, b))
    yield Figure("sending, influxdb-client's bulk path", bulk, "M values/CPU-s")


def whole_figures(influxd: Influxd, folder: Path) -> Iterator[Figure]:
    """Write a fleet's two hours: place, roll up, format, note, send."""
    store = opened(influxd.server, folder, "fleet")
    rounds = blocks(plant_rows(20, 7200, 10, seed=3))
    assert influxd.process is not None
    server = psutil.Process(influxd.process.pid)
    store.write(rounds[0], 0)
    store.durable_position()
    theirs, begin, wall = _spent(server), cpu(), time.monotonic()
    for n, group in enumerate(rounds[1:], 1):
        store.write(group, n)
    _shipped(store, len(rounds) - 1)
    count = (len(rounds) - 1) * 20 * 100 * 10
    yield Figure("store, 100 rows a batch", count / (cpu() - begin) / 1e6, "M values/CPU-s")
    yield Figure("  influxd meanwhile", count / (_spent(server) - theirs) / 1e6, "M values/CPU-s")
    yield Figure("  wall clock", count / (time.monotonic() - wall) / 1e6, "M values/s")
    store.close()


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _shipped(store: InfluxTelemetry, position: int) -> None:
    while store.durable_position() < position:
        if store.trouble():
            time.sleep(0.05)


def answer_figures(influxd: Influxd, folder: Path) -> Iterator[Figure]:
    """Ask for a day and for 90 days of one signal of a machine with ten (one over 90 days).

    First while all of it was written this minute, then as a server is that runs: its caches are in
    files, and readings of other machines go on arriving.
    """
    store = opened(influxd.server, folder, "answers")
    day = plant_rows(1, DAY, 10, seed=4)
    day[0, DAY // 3, 3] = SPIKE
    hours, spike = long_blocks()
    rounds = [*blocks(day), *([hour] for hour in hours)]
    for n, group in enumerate(rounds):
        store.write(group, n)
    _shipped(store, len(rounds) - 1)
    end = START_NS + DAY * SECOND_NS
    far = START_NS + DAYS * DAY * SECOND_NS
    charts = {
        "a day": _chart(store, "bench.m0", "s3", end, DAY // 3),
        f"{DAYS} days": _chart(store, "bench.long", "s0", far, spike),
    }
    for name, ask in charts.items():
        yield from _times(f"{name} of one signal, just written", ask)
    _settle(influxd.server)
    with _arriving(store, len(rounds)):
        for name, ask in charts.items():
            yield from _times(f"{name} of one signal at {POINTS} points", ask, READS_ARRIVING)
        yield from _times("latest of ten signals", lambda: store.latest("bench.m0"))
        odd = -(-DAY * SECOND_NS // 500)
        yield from _times(
            "a day, 500 points of 172.8 s (raw readings)",
            lambda: store.buckets("bench.m0", "s3", START_NS, end, odd),
            reads=20,
        )
    store.close()


def _chart(
    store: InfluxTelemetry, machine: str, signal: str, end_ns: int, spike: int
) -> Callable[[], object]:
    """Return how to ask for a chart, which shows the spike and counts every second."""
    width = width_for(end_ns - START_NS)

    def ask() -> telemetry.Buckets:
        return store.buckets(machine, signal, START_NS, end_ns, width)

    found = ask()
    assert found.max_ns[found.max.argmax()] == START_NS + spike * SECOND_NS, "the spike is hidden"
    assert int(found.count.sum()) * SECOND_NS == end_ns - START_NS
    return ask


def _settle(server: Server) -> None:
    """Wait until the server has written its caches of what no longer arrives into files."""
    ends = time.monotonic() + SETTLE_S
    while time.monotonic() < ends:
        told = urllib3.request("GET", f"{server.url}/metrics").data.decode()
        lines = [line for line in told.splitlines() if line.startswith(CACHED)]
        if sum(float(line.rpartition(" ")[2]) for line in lines) < SETTLED_BYTES:
            return
        time.sleep(1.0)
    raise TimeoutError(f"influxd keeps what was written in memory for {SETTLE_S:.0f} s")


@contextmanager
def _arriving(store: InfluxTelemetry, position: int) -> Iterator[None]:
    """Have ten machines send a hundred values a second each."""
    halt = threading.Event()

    def feed() -> None:
        n = 0
        while not halt.wait(1.0):
            store.write(_ten_seconds(n, range(100, 110)), position + n)
            n += 1

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        halt.set()
        thread.join()


def _times(name: str, ask: Callable[[], object], reads: int = READS) -> Iterator[Figure]:
    ask()
    took = []
    for _ in range(reads):
        begin = time.perf_counter()
        ask()
        took.append((time.perf_counter() - begin) * 1000)
    yield Figure(f"{name}, p50", statistics.median(took), "ms")
    yield Figure(f"{name}, p99", sorted(took)[int(len(took) * 0.99) - (len(took) < 100)], "ms")


def outage_figures(influxd: Influxd, folder: Path) -> Iterator[Figure]:
    """Kill the server, write an hour of readings, start it again, and count."""
    store = opened(influxd.server, folder, "outage")
    seconds = _seconds(50)
    for n, group in enumerate(seconds):
        store.write(group, n)
    _shipped(store, len(seconds) - 1)
    gc.collect()
    process = psutil.Process(os.getpid())
    before = most = process.memory_info().rss
    influxd.kill()
    groups = OUTAGE_S // 10
    for n in range(len(seconds), len(seconds) + groups):
        store.write(_ten_seconds(n), n)
        most = max(most, process.memory_info().rss)
    waiting = sum(store.waiting_bytes) / 1e6
    last = len(seconds) + groups - 1
    influxd.start()
    begin = time.monotonic()
    while store.durable_position() < last:
        most = max(most, process.memory_info().rss)
    caught_up = time.monotonic() - begin
    rows = sum(
        int(store.buckets(f"bench.m{m}", "s0", 0, 2**62, 3600 * SECOND_NS).count.sum())
        for m in range(_MACHINES)
    )
    given = (last + 1) * _MACHINES * 10
    yield Figure("an hour away: values given", given * 10, "")
    yield Figure("  lost", (given - rows) * 10, "values")
    yield Figure("  waited on disk and in memory", waiting, "MB")
    yield Figure("  memory", (most - before) / 1e6, "MB more at most")
    yield Figure("  caught up after", caught_up, "s")
    store.close()


_MACHINES = VALUES_PER_S // 10  #: each gives ten values a second


def _seconds(count: int) -> Sequence[list[Block]]:
    return [_ten_seconds(n) for n in range(count)]


def _ten_seconds(n: int, machines: range = range(_MACHINES)) -> list[Block]:
    """Return ten seconds of some machines: batches of ten rows."""
    at = np.arange(10 * n, 10 * (n + 1))
    columns = tuple(np.round(np.sin(at * (j + 1)) * 10, 2) for j in range(10))
    return [
        Block(
            n=n,
            machine=f"bench.m{m}",
            device=f"bench.m{m}",
            boot="0190aaaa-0000-7000-8000-000000000000",
            stream="live",
            seq=10 * n,
            times_ns=START_NS + SECOND_NS * at,
            received_ns=0,
            signals=NAMES,
            columns=columns,
        )
        for m in machines
    ]


PARTS: Final = {
    "lines": lambda influxd, _: line_figures(influxd.server),
    "store": whole_figures,
    "queries": answer_figures,
    "outage": outage_figures,
}


def run(only: str = "") -> Iterator[Figure]:
    """Measure all parts, or `only` one of them, on a server of its own."""
    if find() is None:
        print("  skipped: `make influxd` builds what this needs")
        return
    with tempfile.TemporaryDirectory() as name, running(Path(name) / "influxd") as influxd:
        for part, measure in PARTS.items():
            if only in {"", part}:
                yield from measure(influxd, Path(name) / part)
