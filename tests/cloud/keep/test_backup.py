import dataclasses
import hashlib
import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cloud.app import App
from cloud.errors import StoreBusy, StoreCorrupt, StoreError
from cloud.journal import SegmentJournal
from cloud.keep import backup, manifest
from cloud.keep.backup import back_up
from cloud.keep.restore import restore
from cloud.ledger.database import Database
from cloud.ledger.dump import dump
from cloud.places import places
from cloud.settings import CloudSettings
from cloud.telemetry import TelemetryStore
from tests.cloud.keep.conftest import DEVICES, Plant
from tests.cloud.wires import T0

Settings = Callable[[str], CloudSettings]
SQLITE = pytest.mark.parametrize("places_of", ["sqlite"], indirect=True)  #: one database will do


def _now() -> int:
    return T0


def _ledger(settings: CloudSettings) -> str:
    database, out = Database(places(settings).ledger), io.BytesIO()
    dump(database, out)
    database.close()
    return hashlib.sha256(out.getvalue()).hexdigest()


def _journal(settings: CloudSettings) -> list[object]:
    one = SegmentJournal(places(settings).journal)
    records: list[object] = list(one.since(-1))
    one.close()
    return records


def _values(store: TelemetryStore, device: str) -> list[float]:
    return [float(v) for v in store.series(device, "vibration_rms", 0, 2**62, 10**6).values]


def test_what_is_restored_is_equal(plant: Plant, places_of: Settings, tmp_path: Path) -> None:
    for _ in range(60):
        plant.go_on()
    tickets = plant.ledger.tickets()
    assert len(tickets[0]) == 1
    plant.telemetry.durable_position()  # what is held for a moment comes again from the journal
    folder = tmp_path / "backups" / "one"
    made = back_up(plant.places, folder, _now)
    assert made.positions.journal_end == plant.journal.end()
    assert made.positions.telemetry == plant.pipeline.position
    assert made.positions.ledger == plant.ledger.position()
    assert made.machines == {"acme": 2, "zeta": 1}
    values = {device: _values(plant.telemetry, device) for device in DEVICES}
    plant.close()

    second = places_of("second")
    assert restore(folder, places(second)) == made == manifest.read(folder)
    assert _ledger(second) == _ledger(plant.settings)
    assert _journal(second) == _journal(plant.settings)
    for name in ("cursor.key",):
        first = (plant.places.data / name).read_bytes()
        assert (places(second).data / name).read_bytes() == first
    app = App(second)
    assert {device: _values(app.telemetry, device) for device in DEVICES} == values
    assert app.ledger.tickets() == tickets
    assert app.service.pipeline.position == made.positions.journal_end
    app.close()


def test_a_backup_under_load_holds_all_that_was_accepted_before(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    for _ in range(40):
        plant.go_on()
    stop = threading.Event()
    load = threading.Thread(target=plant.until, args=(stop,))
    load.start()
    before, made = [], []
    try:
        for n in range(3):
            before.append(plant.taken)
            made.append(back_up(plant.places, tmp_path / f"b{n}", _now))
    finally:
        stop.set()
        load.join()
    assert plant.taken > before[-1]
    values = {device: _values(plant.telemetry, device) for device in DEVICES}
    plant.close()
    for n, found in enumerate(made):
        settings = places_of(f"again{n}")
        restore(tmp_path / f"b{n}", places(settings))
        app = App(settings)  # replays what the stores lack
        assert app.service.pipeline.position == found.positions.journal_end
        assert app.ledger.position() >= found.positions.ledger
        for device in DEVICES:
            again = _values(app.telemetry, device)
            assert len(again) >= before[n]
            assert again == values[device][: len(again)]
        assert len(app.ledger.tickets()[0]) == 1
        app.close()


@SQLITE
def test_a_snapshot_is_held_with_the_journal_after_it(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    """The service may forget a segment while the stores are being copied."""
    for _ in range(30):
        plant.go_on()
    plant.close()
    app = App(plant.settings)
    app.close()  # writes a snapshot
    again = Plant(plant.settings)
    for _ in range(100):
        again.go_on()
    assert len(list(plant.places.journal.glob("*.journal"))) > 2
    original = backup._own_files

    def forgetful(work: backup._Work) -> None:
        original(work)
        again.journal.forget(again.journal.end())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "_own_files", forgetful)
        made = back_up(plant.places, tmp_path / "b", _now)
    assert again.journal.first() > made.positions.journal_first
    assert made.positions.journal_first <= made.positions.snapshot + 1
    assert not (plant.places.data / backup.HELD).exists()
    values = _values(again.telemetry, DEVICES[1])
    again.close()
    second = places_of("second")
    restore(tmp_path / "b", places(second))
    restored = App(second)
    assert _values(restored.telemetry, DEVICES[1]) == values
    restored.close()


@SQLITE
def test_a_damaged_backup_restores_nothing(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    plant.go_on()
    back_up(plant.places, tmp_path / "b", _now)
    for entry in manifest.read(tmp_path / "b").files:
        bad = tmp_path / "bad"
        shutil.copytree(tmp_path / "b", bad)
        content = bytearray((bad / entry.path).read_bytes())
        content[len(content) // 2] ^= 1
        (bad / entry.path).write_bytes(content)
        settings = places_of(f"from-{entry.path.replace('/', '-')}")
        with pytest.raises(StoreCorrupt, match=Path(entry.path).name):
            restore(bad, places(settings))
        assert not Path(settings.data).exists()
        shutil.rmtree(bad)


@SQLITE
@pytest.mark.parametrize("missing", [manifest.NAME, manifest.LEDGER])
def test_half_a_backup_is_none(
    plant: Plant, places_of: Settings, tmp_path: Path, missing: str
) -> None:
    plant.go_on()
    back_up(plant.places, tmp_path / "b", _now)
    (tmp_path / "b" / missing).unlink()
    with pytest.raises(StoreError, match=missing):
        restore(tmp_path / "b", places(places_of("second")))


def test_nothing_is_written_over(plant: Plant, places_of: Settings, tmp_path: Path) -> None:
    plant.go_on()
    back_up(plant.places, tmp_path / "b", _now)
    with pytest.raises(StoreError, match="there already"):
        back_up(plant.places, tmp_path / "b", _now)
    with pytest.raises(StoreError, match="not empty"):
        restore(tmp_path / "b", plant.places)
    with pytest.raises(StoreError, match="within"):
        back_up(plant.places, plant.places.data / "b", _now)
    if plant.places.ledger_file is None:
        taken = places(places_of("second"))
        elsewhere = dataclasses.replace(taken, ledger=plant.places.ledger)
        with pytest.raises(StoreError, match="not empty"):
            restore(tmp_path / "b", elsewhere)


@SQLITE
def test_a_manifest_cannot_lead_out_of_its_folder(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    plant.go_on()
    back_up(plant.places, tmp_path / "b", _now)
    found = manifest.read(tmp_path / "b")
    evil = msgspec.structs.replace(found.files[0], path="data/../../evil")
    manifest.write(tmp_path / "b", msgspec.structs.replace(found, files=(evil,)))
    with pytest.raises(StoreCorrupt, match="leads out"):
        restore(tmp_path / "b", places(places_of("second")))


@SQLITE
def test_a_backup_of_before_manifests_had_a_seal_is_restored(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    plant.go_on()
    made = back_up(plant.places, tmp_path / "b", _now)
    path = tmp_path / "b" / manifest.NAME
    written = msgspec.json.decode(path.read_bytes())
    del written["seal"]
    path.write_bytes(msgspec.json.encode(written))
    assert restore(tmp_path / "b", places(places_of("second"))) == made


@SQLITE
def test_a_backup_of_a_later_format_is_told_as_one(plant: Plant, tmp_path: Path) -> None:
    back_up(plant.places, tmp_path / "b", _now)
    path = tmp_path / "b" / manifest.NAME
    written = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(written | {"format": 2, "more": 1}))
    with pytest.raises(StoreError, match="has format 2; this program reads 1"):
        manifest.read(tmp_path / "b")


@SQLITE
def test_files_of_the_installation_are_copied_whatever_they_are(
    plant: Plant, places_of: Settings, tmp_path: Path
) -> None:
    data = plant.places.data
    left_out = ("influx/waiting-000001", "reserve", "x.part")
    for name in ("influx/shipment-a", "new/a/key.bin", *left_out):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(name.encode())
    back_up(plant.places, tmp_path / "b", _now)
    second = places(places_of("second"))
    restore(tmp_path / "b", second)
    names = {path.relative_to(second.data).as_posix() for path in second.data.rglob("*")}
    assert {"influx/shipment-a", "new/a/key.bin", "cursor.key", "numbers.db"} <= names
    assert not names & set(left_out)
    assert (second.data / "new/a/key.bin").read_bytes() == b"new/a/key.bin"


@SQLITE
def test_one_backup_at_a_time(plant: Plant, tmp_path: Path) -> None:
    with backup._alone(plant.places.data), pytest.raises(StoreBusy, match="under way"):
        back_up(plant.places, tmp_path / "b", _now)
    assert list(tmp_path.glob("b*")) == []
    half = tmp_path / "b.part" / "half"
    half.parent.mkdir()
    half.write_text("of the one under way")
    with backup._alone(plant.places.data), pytest.raises(StoreBusy, match="under way"):
        back_up(plant.places, tmp_path / "b", _now)
    assert half.exists()
    back_up(plant.places, tmp_path / "b", _now)


@SQLITE
def test_only_the_newest_are_kept(tmp_path: Path, plant: Plant) -> None:
    names = [backup.name_for(T0 + n * 10**9) for n in range(4)]
    for name in names:
        back_up(plant.places, tmp_path / "all" / name, _now)
    (tmp_path / "all" / "half").mkdir()
    (tmp_path / "all" / names[0] / "manifest.json").write_text("{")
    cut_off = [f"{backup.name_for(T0 + n * 10**9)}.part" for n in (-1, 5)]
    for name in cut_off:
        (tmp_path / "all" / name).mkdir()
    gone = [*names[:2], cut_off[0]]
    assert [path.name for path in backup.drop_old(tmp_path / "all", 2)] == gone
    stay = sorted([*names[2:], cut_off[1], "half"])
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == stay


@SQLITE
def test_what_was_learned_is_equal(plant: Plant, places_of: Settings, tmp_path: Path) -> None:
    for _ in range(30):
        plant.go_on()
    plant.close()
    App(plant.settings).close()
    back_up(plant.places, tmp_path / "b", _now)
    second = places(places_of("second"))
    restore(tmp_path / "b", second)
    (path,) = sorted(plant.places.snapshots.glob("*.npz"))
    assert (second.snapshots / path.name).read_bytes() == path.read_bytes()
