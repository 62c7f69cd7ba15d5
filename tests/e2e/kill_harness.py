"""Kills broker, service and devices at random while 50 devices publish; then counts.

    python -m tests.e2e.kill_harness --kills 200 --seed 1 --variant receipt

Variants: `receipt` is the product. `puback-auto` forgets on PUBACK and lets the service's client
acknowledge by itself; `puback-manual` forgets on PUBACK, acknowledges by hand, and kills only the
broker. The last two are there to show that the harness sees losses.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cloud.telemetry.sqlite import SqliteTelemetry
from forewarn.broker import free_port
from tests.e2e.devices import FAULTY_EVERY
from tests.e2e.parts import READY_S, Part, Service, mosquitto, service

KINDS = {"receipt": "bsd", "puback-auto": "bsd", "puback-manual": "b"}
DRAIN_S = 1800  #: what 50 devices could not send between the kills, one process sends


@dataclass
class Report:
    """What came of a run."""

    variant: str
    seed: int
    kills: dict[str, int]
    appended: int
    lost: int
    twice: int
    stored: int
    tickets: int
    wrong_tickets: int
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing was lost or doubled, and each fault has one ticket."""
        return not (self.lost or self.twice or self.wrong_tickets)


def devices(folder: Path, port: int, count: int, incarnation: str, variant: str) -> Part:
    """Return the process of all devices."""
    words = [sys.executable, "-m", "tests.e2e.devices", str(port), str(folder), str(count)]
    ready = "devices drained" if incarnation == "drain" else "devices started"
    how = "receipt" if variant == "receipt" else "puback"
    within = DRAIN_S if incarnation == "drain" else READY_S
    return Part([*words, incarnation, how], folder / "devices.log", ready, within)


def run(folder: Path, *, kills: int, seed: int, variant: str, count: int = 50) -> Report:
    """Run the whole story in `folder`. Whatever comes of it, nothing goes on running."""
    with ExitStack() as parts:
        return _run(folder, parts, kills, seed, variant, count)


def _run(folder: Path, parts: ExitStack, kills: int, seed: int, variant: str, count: int) -> Report:
    chance = random.Random(seed)
    begin = time.monotonic()
    broker_port = free_port()
    broker = mosquitto(folder, broker_port)
    entry = ["-m", "tests.e2e.auto_ack", "serve"] if variant == "puback-auto" else None
    cloud = service(folder, broker_port, **({"entry": entry} if entry else {}))
    parts.enter_context(broker)
    parts.enter_context(cloud.part)
    fleet = parts.enter_context(devices(folder, broker_port, count, "0", variant))
    killed: Counter[str] = Counter()
    for number in range(1, kills + 1):
        time.sleep(chance.uniform(0.2, 1.5))
        kind = chance.choice(KINDS[variant])
        killed[kind] += 1
        part = {"b": broker, "s": cloud.part, "d": fleet}[kind]
        part.kill()
        if kind == "d":
            fleet = part = devices(folder, broker_port, count, str(number), variant)
            parts.enter_context(fleet)
        else:
            part.start()
    time.sleep(2)
    fleet.stop()
    if variant == "receipt":
        with devices(folder, broker_port, count, "drain", variant):
            pass
    else:
        time.sleep(5)
    tickets = Counter(ticket["machine"] for ticket in cloud.items("/tickets?limit=200"))
    assert cloud.part.stop() == 0
    broker.stop()
    return count_up(
        folder,
        cloud,
        tickets,
        Report(
            variant,
            seed,
            dict(killed),
            0,
            0,
            0,
            0,
            sum(tickets.values()),
            0,
            time.monotonic() - begin,
        ),
        count,
    )


def count_up(
    folder: Path, cloud: Service, tickets: Counter[str], report: Report, count: int
) -> Report:
    """Compare what the outboxes accepted with what is stored."""
    appended: dict[str, set[float]] = defaultdict(set)
    for line in (folder / "appended.jsonl").read_bytes().splitlines():
        found = json.loads(line)
        appended[found["device"]].update(found["first"] + i for i in range(found["count"]))
    store = SqliteTelemetry(cloud.data / "telemetry.db")
    for index in range(count):
        name = f"kill.d{index}"
        series = store.series(name, "k", 0, 2**62, 10**9)
        values, times = np.unique(np.asarray(series.values, float), return_counts=True)
        report.stored += len(series.values)
        report.twice += int((times > 1).sum())
        report.appended += len(appended[name])
        report.lost += len(appended[name] - set(values.tolist()))
        expected = 1 if index % FAULTY_EVERY == 0 else 0
        report.wrong_tickets += tickets.get(name, 0) != expected
    store.close()
    return report


def main() -> int:
    """Print one JSON report; status 1 when the variant did not do as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", choices=tuple(KINDS), default="receipt")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends, too
    with tempfile.TemporaryDirectory() as name:
        report = run(Path(name), kills=options.kills, seed=options.seed, variant=options.variant)
    print(json.dumps(asdict(report)))
    return 0 if report.good == (options.variant == "receipt") else 1


if __name__ == "__main__":
    sys.exit(main())
