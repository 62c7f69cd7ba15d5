"""An installation with everything in it, without a broker in front."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.decode import Decoder
from cloud.filings import Filings
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.ledger import Ledger, open_ledger
from cloud.pipeline import Pipeline
from cloud.places import places
from cloud.sequence import Sequencer
from cloud.settings import ApiSettings, BrokerSettings, CloudSettings, LedgerSettings
from cloud.shelf import SqliteShelf
from cloud.telemetry.opening import open_telemetry
from models.contract.messages import MachineRef
from models.fleet import Fleet
from models.profile import load_profiles
from tests.cloud import postgres
from tests.cloud.ledger.conftest import server
from tests.cloud.wires import T0, S, batch, birth, up

__all__ = ["server"]
PROFILES = load_profiles()
DEVICES = ("acme.pump1", "acme.pump2", "zeta.pump1")


class Plant:
    """Takes readings until it is told to stop; everything behind the broker is real."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        found = places(settings)
        self.places = found
        found.data.mkdir(parents=True, exist_ok=True)
        (found.data / "cursor.key").write_bytes(bytes(range(32)))
        self.telemetry = open_telemetry(settings.telemetry, found.data, lambda: T0, list)
        self.ledger: Ledger = open_ledger(found.ledger, lambda: T0, PROFILES)
        self.journal = SegmentJournal(found.journal, segment_bytes=10_000)
        self.shelf = SqliteShelf(found.data / "numbers.db")
        self.ingest = Ingest(self.journal, Sequencer())
        self.pipeline = Pipeline(Decoder(), Fleet(PROFILES), self.telemetry, Filings(self.ledger))
        self._numbers = itertools.count()
        self.taken = 0  #: batches of each device that are accepted
        for device in DEVICES:
            machine = MachineRef(profile="centrifugal-pump", name=f"{device} of Ann")
            self.take(device, birth({"": machine}), "birth")

    def take(self, device: str, payload: bytes, *channel: str, at: int = T0) -> None:
        handled = self.ingest.handle([up(payload, *channel, device=device, at=at)], at)
        self.pipeline.apply(handled.records, handled.messages)

    def go_on(self) -> None:
        """Take the next batch of every device. One pump is beyond its limit."""
        n = next(self._numbers)
        for device in DEVICES:
            level = 9.0 if device == "acme.pump1" and n > 20 else 1.0
            reading = batch(n, [level + n / 1e6], name="vibration_rms")
            self.take(device, reading, at=T0 + n * S)  # later, it would be too far in the future
        self.taken = n + 1

    def until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.go_on()

    def close(self) -> None:
        self.telemetry.close()
        self.ledger.close()
        self.shelf.close()
        self.journal.close()


SECRET = "FOREWARN_TEST_LEDGER"


def settings_for(folder: Path, url: str | None = None) -> CloudSettings:
    """Port 1 of loopback: nobody listens there; the rest works."""
    ledger = LedgerSettings() if url is None else LedgerSettings(url=url, password_env=SECRET)
    return CloudSettings(
        data=str(folder), ledger=ledger, broker=BrokerSettings(port=1), api=ApiSettings(port=0)
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def places_of(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], CloudSettings]:
    """Settings of an installation by name, its ledger in its folder or on a server."""

    def make(name: str) -> CloudSettings:
        folder = tmp_path / name
        if request.param == "sqlite":
            return settings_for(folder)
        one: postgres.Postgres = request.getfixturevalue("server")
        monkeypatch.setenv(SECRET, one.password)
        return settings_for(folder, one.fresh().replace(f":{one.password}@", "@"))

    return make


@pytest.fixture
def plant(places_of: Callable[[str], CloudSettings]) -> Iterator[Plant]:
    made = Plant(places_of("first"))
    yield made
    made.close()
