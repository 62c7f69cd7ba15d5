"""Publish → committed and publish → ticket, at half of what the same path takes at most.

A real Mosquitto and the real service, without limits for a device. For each batch size and number
of devices: first as fast as receipts come, then at half of that rate; a batch is committed when its
receipt comes. The most is that of ten seconds after every device has been taken in: the embedded
store then prepares and commits what it got several times, and with large batches the journal begins
new segments and the store's log is moved into its file. Four seconds with the births in them, as
before, called a third to a half of it the most where devices are many. The cells follow each other
in one service, which knows the devices of all before: they fall silent, and are in its snapshots.
After the flood, whose readings were nanoseconds apart, a device's first batch at the pace of half
looks otherwise, and every machine has something to tell. The p99 that the goal is for is of all
batches; beside it stands that without these, told by their sequence numbers: where devices are
many, one batch in twenty is a first one. Beside each cell: by how much a process that does nothing
but flush a page was held up meanwhile (`benchmarks/stalls.py`).
The load is one Python process on the same cores, so that with small batches the most is what it can
send. Tickets: pumps that turn faulty one after the other beside such a load, until the API shows
the ticket.
"""

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from benchmarks import stalls
from benchmarks.fleet import running
from benchmarks.gateway import Gateway
from benchmarks.report import Figure

SIZES: Final = (1, 10, 100, 1000)
DEVICES: Final = (1, 100, 1000)
MOST_S: Final = 10.0
SECONDS: Final = 20.0
AHEAD: Final = 300  #: batches on their way while the most is measured
FAULTS: Final = 100
FAULTY: Final = 9.5  #: mm/s; a pump's alarm limit is 7.1
TICKET_S: Final = 60.0
UNLIMITED: Final = (
    "[limits]\ndevice_messages_per_s = 0\ndevice_values_per_s = 0\ntenant_values_per_s = 0\n"
)


def half(gateway: Gateway) -> float:
    """Measure the most once all are taken in, let what is on its way end, set half of it."""
    gateway.period_s = 1e-6
    for device, values in zip(
        gateway.devices.values(), gateway.rows(0.0, len(gateway.devices)), strict=True
    ):
        gateway.send(device, values)
    gateway.drain()
    most = gateway.flood(MOST_S, AHEAD)
    gateway.drain()
    gateway.took()
    gateway.period_s = 2 * len(gateway.devices) / most
    return most


@contextlib.contextmanager
def loaded(gateway: Gateway) -> Iterator[None]:
    """Publish at the gateway's pace meanwhile."""
    stop = threading.Event()
    load = threading.Thread(target=gateway.publish, args=(stop,))
    load.start()
    try:
        yield
    finally:
        stop.set()
        load.join()
        gateway.drain()


def committed(
    port: int, begin: int, devices: int, samples: int, worst: Callable[[], dict[str, float]]
) -> Iterator[Figure]:
    """Yield the most, and p50 and p99 at half of it; devices are numbered from `begin`."""
    gateway = Gateway(port, begin, devices, samples, 1.0)
    gateway.births()
    most = half(gateway)
    gateway.mark()
    worst()
    with loaded(gateway):
        time.sleep(gateway.period_s + SECONDS)
    held = worst()
    took, firsts = gateway.apart()
    gateway.close()
    took *= 1e3
    yield Figure(f"{samples} samples a batch, {devices} devices, most", most, "batches/s")
    yield Figure("  committed at half of it, p50", float(np.percentile(took, 50)), "ms")
    yield Figure("  committed at half of it, p99 (goal 250)", float(np.percentile(took, 99)), "ms")
    yield Figure(
        "  without each device's first, p99", float(np.percentile(took[~firsts], 99)), "ms"
    )
    yield Figure("  worst", float(took.max()), "ms")
    yield Figure("  a bare flush of 4 KB meanwhile, worst", held["flush_ms"], "ms")
    yield Figure("  a bare wait meanwhile, worst lateness", held["late_ms"], "ms")


def tickets(port: int, url: str, first: int) -> Iterator[Figure]:
    """Yield how long it takes from a faulty batch to its ticket in the API."""
    gateway = Gateway(port, first, 100, 10, 1.0)
    gateway.births()
    half(gateway)
    pumps = Gateway(port, first + 100, FAULTS, 10, 10.0)
    pumps.births()
    took = []
    with loaded(gateway):
        for device in pumps.devices.values():
            values = pumps.rows(0.0, 1)[0]
            values[:3] = FAULTY
            begin = time.perf_counter()
            pumps.send(device, values)
            while not shown(url, device.identity):
                if time.perf_counter() - begin > TICKET_S:
                    raise TimeoutError(f"no ticket of {device.identity}")
            took.append((time.perf_counter() - begin) * 1e3)
    gateway.close()
    pumps.close()
    yield Figure("publish to ticket at half of the most, p50", float(np.percentile(took, 50)), "ms")
    yield Figure(f"  p99 of {FAULTS} (goal 1,000)", float(np.percentile(took, 99)), "ms")
    yield Figure("  worst", max(took), "ms")


def shown(url: str, machine: str) -> bool:
    """Whether the API has a ticket of a machine."""
    with urllib.request.urlopen(f"{url}/api/v1/tickets?machine={machine}", timeout=30) as answer:
        return bool(json.load(answer)["items"])


def run(
    sizes: tuple[int, ...] = SIZES, devices: tuple[int, ...] = DEVICES, only: str = ""
) -> Iterator[Figure]:
    """Measure every size with every number of devices, then tickets.

    `only`: `tickets`, or how many samples a batch has.
    """
    wanted = [samples for samples in sizes if only in {"", str(samples)}]
    with running(UNLIMITED) as (broker, _, url), stalls.watched() as worst:
        first = 0
        for samples in wanted:
            for count in devices:
                yield from committed(broker.port, first, count, samples, worst)
                first += count
        if only in {"", "tickets"}:
            yield from tickets(broker.port, url, first)
