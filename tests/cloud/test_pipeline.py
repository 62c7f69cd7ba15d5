"""What happens behind the journal, on the real stores."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloud.decode import Aside, Decoder
from cloud.errors import StoreBusy, StoreError
from cloud.filings import Filings
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.ledger import Ledger, open_ledger
from cloud.pipeline import Pipeline
from cloud.reader import Arrived
from cloud.sequence import Sequencer
from cloud.telemetry.sqlite import SqliteTelemetry
from models.assessment import Check
from models.contract.messages import MachineRef, Metric
from models.fleet import Fleet
from models.profile import load_profiles
from models.rows import Block
from tests.cloud.wires import DEVICE, T0, batch, birth, floats, up

PROFILES = load_profiles()


class SleepyTelemetry(SqliteTelemetry):
    """A store that can be away."""

    away = False

    def write(self, blocks: Sequence[Block], position: int) -> None:
        if self.away:
            raise StoreBusy("away")
        super().write(blocks, position)


class BehindBroker:
    """Everything behind the broker; `telemetry`: another store than the embedded one."""

    def __init__(self, folder: Path, telemetry: Any = None) -> None:
        self.folder = folder
        self.telemetry = telemetry or SleepyTelemetry(folder / "telemetry.db", background=False)
        self.ledger: Ledger = open_ledger(f"sqlite:///{folder}/ledger.db", lambda: T0, PROFILES)
        self.journal = SegmentJournal(folder / "journal")
        self.ingest = Ingest(self.journal, Sequencer())
        self.pipeline = Pipeline(Decoder(), Fleet(PROFILES), self.telemetry, Filings(self.ledger))

    def take(self, *group: Arrived) -> None:
        handled = self.ingest.handle(group, T0)
        self.pipeline.apply(handled.records, handled.messages)

    def values(self) -> list[float]:
        return list(self.telemetry.series(DEVICE, "temp", 0, 2**62, 10**6).values)

    def close(self) -> None:
        self.telemetry.close()
        self.ledger.close()
        self.journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[BehindBroker]:
    made = BehindBroker(tmp_path)
    yield made
    made.close()


def test_a_batch_that_waited_for_its_birth_is_stored(path: BehindBroker) -> None:
    path.take(up(batch(0, [1.0, 2.0], dictionary="0badcafe")))
    path.take(up(batch(2, [3.0], u=0, dictionary="0badcafe")))
    assert path.telemetry.signals(DEVICE) == []
    path.take(up(birth(dictionary="0badcafe"), "birth"))
    assert path.values() == [1.0, 2.0, 3.0]


def test_while_the_store_is_away_nothing_is_lost_and_order_stays(path: BehindBroker) -> None:
    path.take(up(batch(0, [1.0])))
    path.telemetry.away = True
    path.take(up(batch(1, [2.0])))
    path.take(up(batch(2, [3.0])))
    assert path.values() == [1.0]
    assert path.pipeline.store_error == "away"
    path.telemetry.away = False
    path.take(up(batch(3, [4.0])))
    assert path.values() == [1.0, 2.0, 3.0, 4.0]
    assert path.pipeline.store_error is None


def test_a_store_away_for_long_makes_the_intake_pause(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.pipeline.PENDING_BYTES", 2_000)
    path.telemetry.away = True
    path.take(*(up(batch(seq, [1.0])) for seq in range(2)))
    full = [path.pipeline.full]
    path.take(*(up(batch(seq, [1.0])) for seq in range(2, 6)))
    full.append(path.pipeline.full)
    assert full == [False, True], "few values, but many messages"
    assert not path.pipeline.flush(path.pipeline.position)
    path.telemetry.away = False
    assert path.pipeline.flush(path.pipeline.position)
    assert not path.pipeline.full


def test_a_busy_ledger_gets_machines_and_findings_with_the_next_group(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise StoreBusy("locked")

    with monkeypatch.context() as patch:
        patch.setattr(path.ledger, "register", busy)
        path.take(up(birth(), "birth"), up(batch(0, [1.0])), up(b"junk"))
        assert (path.pipeline.filings.settled, path.ledger.machines(limit=10)[0]) == (False, [])
    path.take(up(batch(1, [2.0])))
    assert path.pipeline.filings.settled
    assert [m.id for m in path.ledger.machines(limit=10)[0]] == [DEVICE]
    assert len(path.ledger.quarantine(limit=10)[0]) == 1


def test_what_goes_to_the_ledger_waits_for_more_after_the_last_that_went(
    path: BehindBroker,
) -> None:
    path.pipeline.filings.hold_s = 3600.0
    path.pipeline.file_if_due()
    for number in (1, 2, 3):
        path.take(up(birth(), "birth", device=f"acme.held{number}"))
    assert [one.id for one in path.ledger.machines()[0]] == ["acme.held1"]
    filings = path.pipeline.filings
    assert (filings.settled, 0 < filings.until_due_s <= 3600) == (False, True)
    path.pipeline.file()
    assert len(path.ledger.machines()[0]) == 3
    assert path.pipeline.filings.settled
    assert path.pipeline.filings.until_due_s == math.inf


def test_what_the_database_refuses_for_itself_keeps_nothing_else_back(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = path.ledger.quarantine_add

    def picky(asides: Sequence[Aside]) -> int:
        if any(aside.payload == b"poison" for aside in asides):
            raise StoreError("invalid byte sequence")
        return add(asides)

    monkeypatch.setattr(path.ledger, "quarantine_add", picky)
    path.take(up(b"junk"), up(b"poison"), up(b"rubbish"), up(batch(0, [1.0])))
    assert path.pipeline.filings.settled
    kept = {row.size for row in path.ledger.quarantine(limit=10)[0]}
    assert kept == {len(b"junk"), len(b"rubbish")}


def test_records_that_come_again_after_a_crash_change_nothing(path: BehindBroker) -> None:
    path.take(up(birth(), "birth"), up(batch(0, [1.0])), up(b"junk"))
    again = Pipeline(Decoder(), Fleet(PROFILES), path.telemetry, Filings(path.ledger))
    again.apply(list(path.journal.since(-1)), {})
    assert path.values() == [1.0]
    rows, _ = path.ledger.quarantine(limit=10)
    assert len(rows) == 1
    machines, _ = path.ledger.machines(limit=10)
    assert [m.id for m in machines] == [DEVICE]


HOT = 104.0  #: a pump's bearing in degrees Fahrenheit, which is well (40 Cel); in Cel it would burn
PUMP = {"": MachineRef(profile="centrifugal-pump")}
BEARING = "bearing_temperature"


def _pump(unit: str) -> bytes:
    return birth(PUMP, metrics=(Metric(name=BEARING, unit=unit),), dictionary="0badcafe")


def _hot(first: int) -> bytes:
    columns = {BEARING: floats([HOT + i % 3 / 10 for i in range(50)])}
    return batch(first, [0.0] * 50, columns=columns, dictionary="0badcafe")


@pytest.mark.parametrize(("unit", "alarmed"), [("Cel", True), ("[degF]", False)])
def test_a_profiles_limits_hold_in_its_own_unit_alone(
    path: BehindBroker, unit: str, alarmed: bool
) -> None:
    path.take(up(_pump(unit), "birth"))
    for first in (0, 50, 100):
        path.take(up(_hot(first)))
    found = path.pipeline.fleet.current(DEVICE)
    active = [c.check for c in found.conditions if c.active]
    assert (Check.LIMIT_HIGH in active) is alarmed
    assert list(path.telemetry.series(DEVICE, BEARING, 0, 2**62, 3).values) == [104.0, 104.1, 104.2]


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("hold_s", [0.0, 3600.0])
def test_what_was_said_of_a_machine_is_filed_by_what_it_was_then(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch, hold_s: float, away: bool
) -> None:
    def busy(*_: object) -> None:
        raise StoreBusy("locked")

    path.pipeline.filings.hold_s = hold_s
    path.pipeline.file_if_due()
    path.take(up(_pump("Cel"), "birth"))
    with monkeypatch.context() as patch:
        if away:
            patch.setattr(path.ledger, "file", busy)
        for at in range(3):
            path.take(up(_hot(50 * at)))
        path.take(up(birth(dictionary="0badcafe"), "birth", at=T0 + 1))
        path.take(up(batch(150, [1.0], dictionary="0badcafe")))
    path.pipeline.file()
    modes = [one.mode for one in path.ledger.advisories()[0]]
    assert modes == ["bearing-hot"]
    assert path.ledger.machine(DEVICE).profile == "generic"


def test_limits_hold_again_with_the_birth_that_tells_the_profiles_unit(path: BehindBroker) -> None:
    for at, unit in enumerate(("[degF]", "Cel")):
        path.take(up(_pump(unit), "birth", at=T0 + at))
        path.take(up(_hot(50 * at)))
        again = Fleet.restore(PROFILES, path.pipeline.fleet.snapshot())
        limits = again.profile(DEVICE).signals[BEARING].limits
        assert limits == path.pipeline.fleet.profile(DEVICE).signals[BEARING].limits
        assert (limits.alarm_high is None) is (unit == "[degF]")
    events = [e.detail["differing"] for e in path.ledger.events()[0] if e.type == "units"]
    assert events == [[{"signal": BEARING, "told": "[degF]", "profile": "Cel"}], []]
