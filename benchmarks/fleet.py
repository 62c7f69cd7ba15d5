"""10,000 pumps of ten signals at 1 Hz, batches of 10 s, for half an hour: memory, losses, CPU.

A real Mosquitto, the real service with its embedded store, and four gateways that publish for 2,500
devices each and keep what has no receipt (`benchmarks/gateway.py`); all are processes of their own.
The memory of the service is read once a minute. For `FILLS` minutes it fills: what changed in the
last five minutes is kept for watchers, and of each stream the last 64 batches are remembered. From
then on flat means flat: what it still gains is growth.

The load's swing takes three hours. As it rises it reads as wear, so that lives are told again and
again from the tenth minute on: two fifths of the CPU at the end (docs/reference/benchmarks.md).
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.footprint import await_ready, peak_mb, resident_mb, service
from benchmarks.report import Figure
from forewarn.broker import Broker, embedded

GATEWAYS: Final = 4
DEVICES: Final = 10_000
SAMPLES: Final = 10
PERIOD_S: Final = 10.0
VALUES: Final = 100  #: of one batch
FILLS: Final = 11  #: minutes until all that is bounded is full; the growth is that of what follows


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute: memory of the service, CPU shares of a core, and how the devices fared."""

    resident_mb: float
    service_cpu: float
    broker_cpu: float
    told: list[dict[str, Any]]


@contextlib.contextmanager
def running(more: str = "") -> Iterator[tuple[Broker, "subprocess.Popen[bytes]", str]]:
    """Run Mosquitto and the service with `more` settings; yield broker, process and address."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with embedded(folder / "broker", prefer="mosquitto") as broker:
            cloud, url = service(folder, broker.port, broker.version, more=more)
            try:
                await_ready(url, cloud)
                yield broker, cloud, url
            finally:
                cloud.terminate()
                cloud.wait()


@contextlib.contextmanager
def gateways(port: int, devices: int, period_s: float = PERIOD_S) -> Iterator[list[Any]]:
    """Run the load once every device has said its birth; at the end, wait for the receipts."""
    each = max(1, devices // GATEWAYS)
    words = [sys.executable, "-m", "benchmarks.gateway", str(port)]
    started = [
        subprocess.Popen(
            [*words, str(first), str(each), str(SAMPLES), str(period_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for first in range(0, devices, each)
    ]
    try:
        for gateway in started:
            assert gateway.stdout is not None
            if gateway.stdout.readline().strip() != b"born":
                raise RuntimeError("a gateway did not start")
        yield started
    finally:
        for gateway in started:
            gateway.kill()
            gateway.wait()


def ended(started: list[Any]) -> list[dict[str, Any]]:
    """End the load; return what each gateway says when its devices have their receipts."""
    for gateway in started:
        gateway.stdin.write(b"\n")
        gateway.stdin.flush()
    return [json.loads(gateway.communicate()[0].splitlines()[-1]) for gateway in started]


def minutes(
    started: list[Any], cloud: psutil.Process, broker: psutil.Process, count: int
) -> Iterator[Minute]:
    """Yield each minute as it ends; it ends when the gateways say so."""
    before = (cpu_of(cloud), cpu_of(broker), time.monotonic())
    for _ in range(count):
        told = [json.loads(gateway.stdout.readline()) for gateway in started]
        now = (cpu_of(cloud), cpu_of(broker), time.monotonic())
        wall = now[2] - before[2]
        shares = ((now[0] - before[0]) / wall, (now[1] - before[1]) / wall)
        before = now
        yield Minute(resident_mb(cloud.pid), *shares, told)


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process so far."""
    times = process.cpu_times()
    return times.user + times.system


def counters(url: str) -> dict[str, int]:
    """Return what the service counted since its start."""
    with urllib.request.urlopen(f"{url}/api/v1/health", timeout=60) as answer:
        found: dict[str, int] = json.load(answer)["service"]["counters"]
        return found


def _line(number: int, minute: Minute) -> str:
    total = {key: sum(told[key] for told in minute.told) for key in minute.told[0]}
    slowest = max(told["p99_ms"] for told in minute.told)
    behind = max(told["behind_s"] for told in minute.told)
    return (
        f"  minute {number:2}: {minute.resident_mb:6.0f} MB, service {minute.service_cpu:4.2f} and "
        f"broker {minute.broker_cpu:4.2f} of a core, {total['receipted']:,} of "
        f"{total['published']:,} batches receipted, p99 {slowest:,.0f} ms, late {total['late']}, "
        f"sent again {total['resent']}, load behind {behind:.1f} s"
    )


def run(length: int = 30, devices: int = DEVICES, period_s: float = PERIOD_S) -> Iterator[Figure]:
    """Run the load for so many minutes, a batch of each device every `period_s`."""
    with running() as (broker, cloud, url):
        empty = resident_mb(cloud.pid)
        process = psutil.Process(cloud.pid)
        begin = cpu_of(process)
        with gateways(broker.port, devices, period_s) as started:
            births = cpu_of(process)
            ran: list[Minute] = []
            for minute in minutes(started, process, psutil.Process(broker.process.pid), length):
                ran.append(minute)
                print(_line(len(ran), minute), flush=True)
            last = ended(started)
            spent = cpu_of(process) - births
        counted, most = counters(url), peak_mb(cloud.pid)
    published = sum(told["published"] for told in last)
    receipted = sum(told["receipted"] for told in last)
    memory = np.array([minute.resident_mb for minute in ran])
    full = memory[min(FILLS, len(memory)) - 1 :]
    slope = np.polyfit(np.arange(len(full)), full, 1)[0] if len(full) > 1 else np.nan
    yield Figure("service before any device, resident", empty, "MB")
    yield Figure(f"CPU to take {devices:,} births", births - begin, "CPU-s")
    yield Figure("resident after the first minute", memory[0], "MB")
    yield Figure(f"  when all is full, minute {min(FILLS, len(memory))}", full[0], "MB")
    yield Figure("  a device then", (full[0] - empty) / devices * 1024, "KB")
    yield Figure("resident at the end", memory[-1], "MB")
    yield Figure("most resident at any moment", most, "MB")
    yield Figure("growth from then on", float(slope), "MB/minute")
    yield Figure("batches published", published, "")
    yield Figure("  without a receipt at the end", published - receipted, "")
    yield Figure("  sent again by the devices", sum(told["resent"] for told in last), "")
    yield Figure(
        "  receipted later than a period",
        sum(told["late"] for minute in ran for told in minute.told),
        "",
    )
    yield Figure("samples stored, as the service counts", counted["samples"], "")
    yield Figure("samples published", published * SAMPLES, "")
    yield Figure("values a CPU second of the service", published * VALUES / spent, "")
    yield Figure("service, share of a core", float(np.mean([m.service_cpu for m in ran])), "")
    calm, late = ran[1:5] or ran, ran[-5:]
    yield Figure("  in minutes 2 to 5", float(np.mean([m.service_cpu for m in calm])), "")
    yield Figure("  in the last five", float(np.mean([m.service_cpu for m in late])), "")
    yield Figure("broker, share of a core", float(np.mean([m.broker_cpu for m in ran])), "")
