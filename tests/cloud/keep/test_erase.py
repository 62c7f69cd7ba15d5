import io
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cloud.accounts.desk import blank
from cloud.accounts.values import Role
from cloud.app import App
from cloud.errors import NotFound, StoreBusy, StoreError
from cloud.keep.backup import back_up
from cloud.keep.erase import erase
from cloud.keep.proof import Proof
from cloud.keep.scope import wanted
from cloud.ledger import Reply, Verdict, open_ledger
from cloud.ledger.database import Database
from cloud.ledger.dump import dump, rows_of
from cloud.ledger.tables import metadata
from cloud.places import places
from cloud.settings import CloudSettings
from forewarn.erase import described
from tests.cloud.keep.conftest import DEVICES, PROFILES, Plant
from tests.cloud.wires import T0, batch, birth

SQLITE = pytest.mark.parametrize("places_of", ["sqlite"], indirect=True)  #: one database will do
ACME = tuple(device for device in DEVICES if device.startswith("acme."))
ZETA = "zeta.pump1"


def _now() -> int:
    return T0


@pytest.fixture
def lived(plant: Plant) -> CloudSettings:
    """An installation with a snapshot, a journal after it, tickets, people and poison."""
    for _ in range(40):
        plant.go_on()
    plant.close()
    App(plant.settings).close()
    app = App(plant.settings)
    ledger = app.ledger
    for name, customer in (("ann", "acme"), ("zoe", "zeta")):
        ledger.account_add(blank(name, Role.CUSTOMER, customer=customer), None, actor="root")
    for device in DEVICES:
        ledger.device_add(device, clock="wall", actor="root")
    (ticket,), _ = ledger.tickets()
    ledger.acknowledge(ticket.id, ticket.version, actor="ann")
    ledger.resolve(
        ticket.id, ticket.version + 1, actor="ann", verdict=Verdict.CONFIRMED, replaced="bearing"
    )
    ledger.once("k", "f", lambda: Reply(status=200, headers=(), body=b"acme.pump1"))
    (alert,) = ledger.alerts_due(2**62)
    ledger.alert_sent(alert.batch_id or "", "mail")
    app.close()
    again = Plant(plant.settings)
    again.take("acme.pump1", b"poison")
    again.take(ZETA, b"poison")
    again.take("acme.pump2", batch(0, [2.5], name="vibration_rms", u=0, dictionary="0badcafe"))
    log = plant.places.data / "alerts.jsonl"
    log.write_text('{"machine": "acme.pump1"}\n{"machine": "zeta.pump1"}\n{"m": "acme.pump10"}\n')
    again.close()
    return plant.settings


def _of_zeta(settings: CloudSettings) -> list[tuple[str, bytes]]:
    database = Database(places(settings).ledger)
    found = sorted(row for row in rows_of(database) if b"zeta" in row[1])
    database.close()
    return found


def _erase(settings: CloudSettings) -> Proof:
    return erase(settings, "tenant", "acme", actor="root", now=_now)


def test_nothing_is_left_and_the_others_keep_everything(lived: CloudSettings) -> None:
    where = places(lived)
    before = _of_zeta(lived)
    proof = _erase(lived)
    assert proof.hits == ()
    assert proof.machines == proof.devices == ACME
    assert proof.removed["telemetry samples"] == 80
    for what in ("models in snapshots", "journal records", "ledger ticket", "ledger alert",
                 "ledger evidence", "ledger account", "ledger registration", "alerts.jsonl",
                 "ledger quarantine"):  # fmt: skip
        assert proof.removed[what] > 0, what
    for path in where.data.rglob("*"):  # the same search in other words
        if path.is_file() and path.name != "alerts.jsonl":
            content = path.read_bytes()
            assert b"acme.pump" not in content, path
            assert "acme.pump".encode("utf-32-le") not in content, path
    assert (where.data / "alerts.jsonl").read_text() == (
        '{"machine": "zeta.pump1"}\n{"m": "acme.pump10"}\n'
    )
    assert _of_zeta(lived) == before


@SQLITE
def test_the_service_goes_on_without_them(lived: CloudSettings) -> None:
    app = App(lived)
    fleet = app.service.pipeline.fleet
    learned = fleet.current(ZETA)
    values = list(app.telemetry.series(ZETA, "vibration_rms", 0, 2**62, 1000).values)
    position = app.service.journal.end()
    app.close()
    _erase(lived)
    again = App(lived)
    assert again.service.journal.end() == position
    assert again.service.pipeline.fleet.machines() == [ZETA]
    assert again.service.pipeline.fleet.current(ZETA) == learned
    assert list(again.telemetry.series(ZETA, "vibration_rms", 0, 2**62, 1000).values) == values
    assert [row.id for row in again.ledger.machines()[0]] == [ZETA]
    assert again.ledger.tickets()[0] == []
    assert set(again.ledger.devices_registered()) == {ZETA}
    again.close()
    plant = Plant(lived)  # a device that comes back is a new one
    plant.take("acme.pump1", birth(), "birth")
    plant.take("acme.pump1", batch(0, [1.0], boot="0190aaaa-0000-7000-8000-000000000009"))
    assert plant.telemetry.signals("acme.pump1") == ["temp"]
    plant.close()


def test_the_log_of_what_was_done_keeps_its_length(lived: CloudSettings) -> None:
    def events() -> list[tuple[int, str, str, int]]:
        ledger = open_ledger(places(lived).ledger, _now, PROFILES)
        rows, _ = ledger.events(limit=1000)
        ledger.close()
        return [(row.seq, row.subject, row.type, row.at_ns) for row in rows]

    before = events()
    proof = _erase(lived)
    assert events() == before
    ledger = open_ledger(places(lived).ledger, _now, PROFILES)
    rows, _ = ledger.events(limit=1000)
    emptied = [row for row in rows if row.subject_id == proof.pseudonym]
    assert emptied
    assert all(row.machine is None and row.detail == {} for row in emptied)
    assert {row.actor for row in emptied} == {proof.pseudonym}
    assert not any(row.actor == "ann" for row in rows)
    kept = next(one for one in proof.stays if one.what.startswith("events"))
    assert kept.count == len(emptied)
    ledger.close()


@SQLITE
def test_one_machine_only(lived: CloudSettings) -> None:
    proof = erase(lived, "machine", "acme.pump1", actor="root", now=_now)
    assert proof.hits == ()
    assert proof.machines == ("acme.pump1",)
    app = App(lived)
    assert [row.id for row in app.ledger.machines()[0]] == ["acme.pump2", ZETA]
    assert app.ledger.account_named("ann") is not None
    app.close()


@SQLITE
def test_a_machine_that_was_placed_with_another_customer_goes_with_it(
    lived: CloudSettings,
) -> None:
    ledger = open_ledger(places(lived).ledger, _now, PROFILES)
    ledger.site_set("acme.pump2", 0, customer="zeta", site="north", actor="root")
    ledger.close()
    assert wanted(lived, "customer", "acme", _now).machines == ("acme.pump1",)
    proof = erase(lived, "customer", "zeta", actor="root", now=_now)
    assert proof.machines == ("acme.pump2", ZETA)
    assert proof.hits == ()


@SQLITE
def test_backups_that_hold_it_are_named(lived: CloudSettings, tmp_path: Path) -> None:
    back_up(places(lived), tmp_path / "all" / "one", _now)
    proof = erase(lived, "tenant", "acme", actor="root", now=_now, backups=tmp_path / "all")
    (one,) = (stays for stays in proof.stays if "backup" in stays.what)
    assert str(tmp_path / "all" / "one") in one.what
    assert one.count > 2


@SQLITE
def test_a_backups_ledger_is_searched(lived: CloudSettings, tmp_path: Path) -> None:
    """Also for what its list of machines does not have: a device that was never heard."""
    ledger = open_ledger(places(lived).ledger, _now, PROFILES)
    ledger.device_add("gamma.dev1", clock="wall", actor="root")
    ledger.close()
    back_up(places(lived), tmp_path / "one", _now)
    proof = erase(lived, "tenant", "gamma", actor="root", now=_now, backups=tmp_path / "one")
    assert [str(tmp_path / "one") in one.what for one in proof.stays if "backup" in one.what]
    assert "not its readings" in described(proof)


@SQLITE
def test_a_customer_without_machines_goes_with_its_people(lived: CloudSettings) -> None:
    ledger = open_ledger(places(lived).ledger, _now, PROFILES)
    person = blank("ann.smith@acme.example", Role.CUSTOMER, customer="nomachines")
    ledger.account_add(person, None, actor="root")
    ledger.close()
    proof = erase(lived, "customer", "nomachines", actor="root", now=_now)
    assert (proof.people, proof.hits) == (1, ())
    database = Database(places(lived).ledger)
    assert not [table for table, row in rows_of(database) if b"ann.smith" in row]
    database.close()


@SQLITE
def test_a_persons_name_that_stays_somewhere_is_a_hit(lived: CloudSettings) -> None:
    ledger = open_ledger(places(lived).ledger, _now, PROFILES)
    other = blank("zed", Role.CUSTOMER, customer="zeta", full_name="stands in for ann")
    ledger.account_add(other, None, actor="root")
    ledger.close()
    assert _erase(lived).hits == ("ledger account",)


@SQLITE
def test_one_backup_is_looked_through_as_a_folder_of_them(
    lived: CloudSettings, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    back_up(places(lived), one, _now)
    proof = erase(lived, "tenant", "acme", actor="root", now=_now, backups=one)
    (said,) = (stays.what for stays in proof.stays if "backup" in stays.what)
    assert (f"backup {one} of" in said, proof.backups) == (True, 1)


@SQLITE
def test_how_many_backups_were_looked_through_is_told(lived: CloudSettings, tmp_path: Path) -> None:
    part = tmp_path / "one.part"
    part.mkdir()
    proof = erase(lived, "machine", "acme.pump1", actor="root", now=_now, backups=part)
    assert proof.backups == 1
    (tmp_path / "none").mkdir()
    proof = erase(lived, "tenant", "acme", actor="root", now=_now, backups=tmp_path / "none")
    assert "backups looked through: 0" in described(proof)


@SQLITE
def test_a_backup_that_was_cut_off_is_named(lived: CloudSettings, tmp_path: Path) -> None:
    part = tmp_path / "all" / "forewarn-1.part"
    (part / "data").mkdir(parents=True)
    proof = erase(lived, "tenant", "acme", actor="root", now=_now, backups=tmp_path / "all")
    (said,) = (stays.what for stays in proof.stays if "backup" in stays.what)
    assert f"{part} that was cut off" in said


@SQLITE
def test_a_folder_of_backups_that_is_not_there_erases_nothing(
    lived: CloudSettings, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        erase(lived, "tenant", "acme", actor="root", now=_now, backups=tmp_path / "typo")
    assert wanted(lived, "tenant", "acme", _now).machines


@SQLITE
def test_a_running_service_is_not_touched(lived: CloudSettings) -> None:
    app = App(lived)
    with pytest.raises(StoreBusy, match="stop it first"):
        _erase(lived)
    assert len(app.ledger.machines()[0]) == 3
    app.close()


@SQLITE
def test_an_unknown_name_erases_nothing(lived: CloudSettings) -> None:
    def content() -> bytes:
        out = io.BytesIO()
        database = Database(places(lived).ledger)
        dump(database, out)
        database.close()
        return out.getvalue()

    before = content()
    for scope in ("customer", "tenant", "machine"):
        with pytest.raises(NotFound, match="acm"):
            erase(lived, scope, "acm", actor="root", now=_now)
    assert content() == before


@SQLITE
def test_cut_off_it_is_begun_again(lived: CloudSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ("_models", "_numbers", "_alert_log", "searched_rows")
    for step in steps:
        with monkeypatch.context() as patch:
            patch.setattr(f"cloud.keep.erase.{step}", _stop)
            with pytest.raises(KeyboardInterrupt):
                _erase(lived)
    app = App(lived)  # cut off or not, it starts
    left = app.ledger.machines()[0]
    app.close()
    if [row.id for row in left] != [ZETA]:
        assert _erase(lived).hits == ()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@SQLITE
def test_no_table_is_forgotten(lived: CloudSettings) -> None:
    """A table that comes later must be erased, too, or stand here with a reason."""
    touched: set[str] = set()

    def look(*said: Any) -> None:
        found = re.match(r"(?:DELETE FROM|UPDATE) (\w+)", said[2])
        touched.update([found.group(1)] if found else [])

    sa.event.listen(sa.Engine, "before_cursor_execute", look)
    try:
        _erase(lived)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", look)
    numbers = {"position"}  # how far the journal is filed, and the number of the next ticket
    assert touched == set(metadata.tables) - numbers
