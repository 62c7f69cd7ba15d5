"""Into one real InfluxDB: forewarn (stores, scores) beside Telegraf (stores) and a naive pipeline.

The same readings from one Mosquitto to one influxd, one peer after another, in this run. A peer's
CPU is that of its processes; the server's is quoted apart. Every row must be found in the server
before the clock stops. forewarn and Telegraf keep every core busy with the server; one process of
the naive pipeline leaves the others idle, where a second of CPU may do more, so it is measured with
a process on every core too. Ours is told apart by threads where the system counts them, and with
what it spends while nothing comes: the slower the server, the more of that there is to a value. The
bound is what copying, formatting and sending alone would take.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import psutil
from numpy.typing import NDArray
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks import batches, peers
from benchmarks.report import Figure, cpu
from benchmarks.workload import plant_rows
from cloud.telemetry.influx import lines, setup
from cloud.telemetry.influx.http import Connection, Server
from cloud.telemetry.influx.influxql import quoted, select, source
from cloud.telemetry.influx.server import Influxd, find, running
from forewarn.broker import embedded, find_mosquitto, free_port

SIGNALS = 10
CHUNK = 500  #: messages published between two looks
AHEAD = 4_000  #: messages that may wait in the broker, which keeps 10,000
DONE_S = 300.0
LEAST_ROWS = 30  #: rows a device that even the slow are measured on
WARM_ROWS = 300  #: rows a device before the clock runs: half-space trees begin after 250
IDLE_S = 4.0
IDLE = "doing nothing"
THREADS = {
    "influx": "place, roll up, lines, note, send",
    "ingest": "read, order, journal, decode, score",
    "paho-mqtt-clien": "receive",
}  #: the name of a thread begins with it -> what it does; the rest is "all else"

Peer = Callable[
    [Path, int, int, Server], contextlib.AbstractContextManager[tuple[psutil.Process, ...]]
]
CROWD = "naive, a process a core"
Form = Callable[[NDArray[np.float64], int], list[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class Lane:
    """One peer: how it runs, what it is sent, and where its rows are counted."""

    name: str
    run: Peer
    form: Form
    bucket: str
    measurement: str
    field: str
    share: float  #: of the rounds, for slow peers


LANES = (
    Lane("forewarn", peers.forewarn, peers.native, "forewarn_raw", "reading", "row", 1.0),
    Lane("telegraf", peers.telegraf, peers.line_protocol, peers.TELEGRAF_BUCKET,
         peers.MEASUREMENT, "s0", 1.0),
    Lane("naive", peers.naive, peers.row_dictionaries, peers.NAIVE_BUCKET,
         peers.MEASUREMENT, "s0", 0.02),
    Lane(CROWD, peers.naive_crowd, peers.row_dictionaries, peers.NAIVE_BUCKET,
         peers.MEASUREMENT, "s0", 0.04),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a lane took for its values: CPU seconds of peer and server, wall seconds, MB."""

    values: int
    own_s: float
    server_s: float
    wall_s: float
    resident_mb: float
    threads_ns: Counter[str] = field(default_factory=Counter)  #: of `own_s`; `IDLE`: a second's


def stored(connection: Connection, lane: Lane) -> int:
    """Return how many rows of a lane the server has."""
    statement = select(f"count({quoted(lane.field)})", source(lane.bucket, lane.measurement))
    found = connection.query(lane.bucket, [statement])[0]
    return int(found[0].rows[0][1]) if found else 0


def publish(
    port: int, sent: list[tuple[str, bytes]], count: Callable[[], int], before: int, rows: int
) -> float:
    """Publish at QoS 1 without overrunning the broker; return when all rows are stored (s)."""
    sender = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    sender.max_queued_messages_set(0)
    sender.connect("127.0.0.1", port)
    sender.loop_start()
    for first in range(0, len(sent), CHUNK):
        _await(count, before + (first - AHEAD) * rows)
        tokens = [sender.publish(topic, body, qos=1) for topic, body in sent[first : first + CHUNK]]
        for token in tokens:
            token.wait_for_publish(60)
    _await(count, before + len(sent) * rows)
    sender.disconnect()
    sender.loop_stop()
    return time.monotonic()


def _await(count: Callable[[], int], wanted: int) -> None:
    ends = time.monotonic() + DONE_S
    while wanted > 0 and count() < wanted:
        if time.monotonic() > ends:
            raise TimeoutError(f"{count()} of {wanted} rows were stored in time")
        time.sleep(0.25)


def cpu_of(*processes: psutil.Process) -> float:
    """Return the CPU seconds of processes so far, where the system has it to the nanosecond."""
    return sum(map(_cpu, processes))


def _cpu(process: psutil.Process) -> float:
    if sys.platform != "linux":  # in ticks of 10 ms
        times = process.cpu_times()
        return times.user + times.system
    return time.clock_gettime(~process.pid << 3 | 2)  # see clock_getcpuclockid(3)


def threads_of(*processes: psutil.Process) -> Counter[str]:
    """Return the CPU ns of processes so far by what threads do (nothing: not known)."""
    spent: Counter[str] = Counter()
    for task in (t for one in processes for t in Path(f"/proc/{one.pid}/task").glob("*")):
        with contextlib.suppress(OSError):  # it has just ended
            name = (task / "comm").read_text().strip()
            ran_ns = int((task / "schedstat").read_text().split()[0])
            part = [what for begin, what in THREADS.items() if name.startswith(begin)]
            spent[part[0] if part else "all else"] += ran_ns
    return spent


def measure(lane: Lane, influxd: Influxd, samples: int, rounds: int, seed: int) -> Cost:
    """Run one lane from warm-up to the last stored row."""
    assert influxd.process is not None
    server = psutil.Process(influxd.process.pid)
    connection = Connection(influxd.server)
    warm = max(1, WARM_ROWS // samples)
    mine = max(3, LEAST_ROWS // samples, int(rounds * lane.share))
    values = plant_rows(peers.DEVICES, samples * (mine + warm), SIGNALS, seed=seed)
    sent = lane.form(values, samples)
    for bucket in {*setup.Buckets.of("forewarn"), lane.bucket}:
        setup.delete(influxd.server, bucket, "")
    with (
        tempfile.TemporaryDirectory() as name,
        embedded(Path(name) / "broker", prefer="mosquitto") as broker,
        lane.run(Path(name), broker.port, free_port(), influxd.server) as children,
    ):
        before = stored(connection, lane)
        count = partial(stored, connection, lane)
        publish(broker.port, sent[: warm * peers.DEVICES], count, before, samples)
        before += warm * peers.DEVICES * samples
        idle = threads_of(*children).total()
        time.sleep(IDLE_S)
        threads = threads_of(*children)
        own, theirs, begin = cpu_of(*children), cpu_of(server), time.monotonic()
        ended = publish(broker.port, sent[warm * peers.DEVICES :], count, before, samples)
        parts = threads_of(*children)
        parts.subtract(threads)
        parts[IDLE] = round((threads.total() - idle) / IDLE_S)
        return Cost(
            values=mine * peers.DEVICES * samples * SIGNALS,
            own_s=cpu_of(*children) - own,
            server_s=cpu_of(server) - theirs,
            wall_s=ended - begin,
            resident_mb=sum(one.memory_info().rss for one in children) / 1e6,
            threads_ns=parts,
        )


def _split(cost: Cost) -> Iterator[Figure]:
    """Yield what each thread took for a value, and what of all of it was spent in waiting."""
    for part, took_ns in cost.threads_ns.most_common():
        if part != IDLE:
            yield Figure(f"  {part}", took_ns / cost.values, "ns/value")
    idle_ns = cost.threads_ns[IDLE] * cost.wall_s
    yield Figure("  of these: what it spends unasked", idle_ns / cost.values, "ns/value")


def bound(rows: int = 100_000) -> float:
    """Return values a CPU second of what no store of lines can leave out.

    The values are copied once, formatted by the store's own kernel, and leave the process through a
    pipe: no broker, no order, no journal, no scores, no answers.
    """
    values = np.ascontiguousarray(plant_rows(1, rows, SIGNALS, seed=2)[0].T)
    batch, fields, room = batches.of(values), batches.FIELDS, lines.Room()
    lines.write(batch, fields, room)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as sink:
        assert sink.stdin is not None
        begin = cpu()
        sink.stdin.write(lines.write(batches.of(values.copy()), fields, room))
        sink.stdin.flush()
        spent = cpu() - begin
    return values.size / spent


def run(
    sizes: tuple[tuple[int, int], ...] = ((100, 160), (1, 400)), only: str = ""
) -> Iterator[Figure]:
    """Measure each batch size; `sizes` are (samples a message, rounds of 50 devices).

    `only`: how many samples a message has.
    """
    if find() is None or peers.telegraf_program() is None or find_mosquitto() is None:
        print("  skipped: this needs Mosquitto, and what `make influxd telegraf` builds")
        return
    limit = bound()
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as influxd:
        setup.make_buckets(
            influxd.server, setup.Buckets.of("forewarn"), setup.Retention(raw_days=0)
        )
        with setup.client(influxd.server) as client:
            for bucket in (peers.TELEGRAF_BUCKET, peers.NAIVE_BUCKET):
                client.buckets_api().create_bucket(bucket_name=bucket, org=influxd.server.org)
        for samples, rounds in sizes:
            if only not in {"", str(samples)}:
                continue
            rates: dict[str, float] = {}
            for lane in LANES:
                cost = measure(lane, influxd, samples, rounds, seed=samples)
                rates[lane.name] = cost.values / cost.own_s
                what = f"{lane.name}, {samples} samples a message"
                yield Figure(what, rates[lane.name], "values/CPU-s")
                yield Figure("  influxd meanwhile", cost.values / cost.server_s, "values/CPU-s")
                yield Figure("  wall clock", cost.values / cost.wall_s, "values/s")
                yield Figure("  resident", cost.resident_mb, "MB")
                yield from _split(cost) if lane.name == "forewarn" else ()
            yield Figure("bound: copied, formatted, sent", limit, "values/CPU-s")
            yield Figure("  bound to naive", limit / rates["naive"], "x")
            yield Figure("  ratio to Telegraf", rates["forewarn"] / rates["telegraf"], "x")
            yield Figure("  ratio to naive", rates["forewarn"] / rates["naive"], "x")
            yield Figure(f"  ratio to {CROWD}", rates["forewarn"] / rates[CROWD], "x")
