"""A running service with a fleet that has worn out, and a device that goes on reporting."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from models.contract import topics
from tests.e2e.parts import READY_S, Part, Service, eventually

SEED, DAYS = 11, 60.0  #: a battery fades (its ticket is made at once), a printer needs toner
PROBE = "demo.probe"


def need(found: object, what: str) -> None:
    """Skip, or fail in continuous integration, when something is not installed."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@dataclass
class Running:
    """A service, its broker, and where people find it."""

    broker: Part
    service: Service
    told: str = ""  #: what the fleet was drawn to do

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.service.port}"

    def machine(self, key: str) -> str:
        """Return the id of a simulated machine."""
        rows = self.service.items("/machines?limit=200")
        return str(next(row["id"] for row in rows if row["name"] == key))

    def first(self, path: str, **wanted: Any) -> Any:
        """Wait for the first of a list that is as wanted, and return it."""

        def look() -> Any:
            rows = self.service.items(path)
            return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)

        return eventually(look)


def simulate(broker: Part, *, seed: int = SEED, machines: int = 24, days: float = DAYS) -> str:
    """Let a fleet report as fast as the service takes it; return what was told of it."""
    words = [sys.executable, "-m", "forewarn", "simulate", "--tenant", "demo", "--speed", "0"]
    words += ["--machines", str(machines), "--failing", "1", "--seed", str(seed)]
    words += ["--days", str(days), "--gateway-size", "12", "--port", str(broker.port)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=READY_S, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


@dataclass
class Probe:
    """A device without an agent that sends a value five times a second."""

    broker: Part
    value: Callable[[int], str] = lambda n: f'{{"d":{{"temp":{20 + n % 50}}}}}'
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Probe":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        n = 0
        while not self._stop.wait(0.2):
            n += 1
            client.publish(topics.up(PROBE, "t", "live"), self.value(n), qos=1)
        client.disconnect()
        client.loop_stop()


def setup_link(log: Path) -> str:
    """Return the one-time link that the service printed at its start."""
    text = log.read_text("utf-8", "replace")
    return next(word for word in text.split() if "/setup/" in word)
