"""A service on real stores that tests drive step by step, without a broker."""

import threading
from pathlib import Path
from typing import Any

import pytest

from cloud import snapshot
from cloud.journal import Kind
from cloud.ledger import Ledger, open_ledger
from cloud.link import Link
from cloud.reader import Arrived
from cloud.service import Service
from cloud.settings import BrokerSettings
from cloud.telemetry.sqlite import SqliteTelemetry
from models.profile import load_profiles
from tests.cloud.wires import T0, S

PROFILES = load_profiles()


class Clock:
    """The wall clock, which people can set."""

    now = T0

    def __call__(self) -> int:
        return self.now


class Made:
    """A service on real stores, started again at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.ledger: Ledger = open_ledger(f"sqlite:///{folder}/ledger.db", self.clock, PROFILES)
        self.service = self._new()

    def _new(self) -> Service:
        service = Service(
            folder=self.folder,
            profiles=PROFILES,
            telemetry=SqliteTelemetry(self.folder / "telemetry.db", background=False),
            ledger=self.ledger,
            link=Link(BrokerSettings(port=1), self.clock),
            now=self.clock,
            snapshot_ns=60 * S,
            free_percent=0,
            segment_bytes=1,
        )
        service._looked = service._next_tick = 0
        service._last_snapshot = self.clock.now
        return service

    def again(self) -> None:
        """End without a word, as a kill does, and start again."""
        self.service._telemetry.close()
        self.service.shelf.close()
        self.service.journal.close()
        self.service = self._new()

    def take(self, *arrived: Arrived) -> None:
        """Take messages as a group of the link, a second later."""
        self.clock.now += S
        handled = self.service.ingest.handle(arrived, self.clock.now, ())
        self.service.pipeline.apply(handled.records, handled.messages)

    def save(self) -> None:
        """Write a snapshot and let the journal forget what it may."""
        self.service._save()
        self.service._keeper.look(wait=True)

    def kinds(self) -> list[Kind]:
        return [record.entry.kind for record in self.service.journal.since(-1)]

    def ticks(self) -> list[int]:
        entries = (record.entry for record in self.service.journal.since(-1))
        return [(entry.at_ns - T0) // S for entry in entries if entry.kind is Kind.TICK]


class Held:
    """Snapshots that stand in the middle of being copied until they are let go."""

    def __init__(self, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        taken = made.service._taken

        def held(*given: Any) -> snapshot.Snapshot:
            self.begun.set()
            assert self.go_on.wait(120)
            return taken(*given)

        monkeypatch.setattr(made.service, "_taken", held)


def comes(groups: list[list[Arrived]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let groups come to the link, of which there is always one until the last."""
    monkeypatch.setattr(Link, "group", lambda *_, at_once: groups.pop(0) if groups else [])
    monkeypatch.setattr(Link, "waiting", property(lambda _: bool(groups)))
