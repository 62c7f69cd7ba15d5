from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.app import App
from cloud.errors import StoreCorrupt
from cloud.keep.erase import erase
from cloud.keep.upgrade import PATTERN, fill_ledger, keep_before_upgrade
from cloud.ledger.database import HEAD, Database
from cloud.ledger.dump import rows_of
from cloud.places import places
from cloud.settings import CloudSettings
from tests.cloud.keep.conftest import Plant
from tests.cloud.wires import T0


def _rows(settings: CloudSettings) -> list[tuple[str, bytes]]:
    database = Database(places(settings).ledger, migrate=False)
    found = sorted(rows_of(database))
    database.close()
    return found


def test_there_is_a_way_back_from_an_upgrade(
    plant: Plant, places_of: Callable[[str], CloudSettings]
) -> None:
    for _ in range(25):
        plant.go_on()
    plant.close()
    old = Database(plant.places.ledger, migrate=False)
    old.migrate("0002")
    old.close()
    before = _rows(plant.settings)
    App(plant.settings).close()
    (kept,) = plant.places.data.glob(PATTERN)
    assert kept.name == "ledger-0002.dump"
    written = kept.stat().st_mtime_ns
    App(plant.settings).close()  # nothing changes any more, nothing is written
    assert kept.stat().st_mtime_ns == written

    second = places(places_of("second"))
    second.data.mkdir()
    other = second.data / "cloud.toml"
    other.write_text("no dump")
    with pytest.raises(StoreCorrupt, match=f"^{other}: the dump is damaged"):
        fill_ledger(second.ledger, other)
    fill_ledger(second.ledger, kept)
    database = Database(second.ledger, migrate=False)
    assert database.revision() == HEAD
    database.migrate("0002")
    found = sorted(rows_of(database))
    database.close()
    assert found == before

    erase(plant.settings, "tenant", "acme", actor="root", now=lambda: T0)
    assert list(plant.places.data.glob(PATTERN)) == []


def test_a_new_ledger_has_nothing_to_keep(places_of: Callable[[str], CloudSettings]) -> None:
    where = places(places_of("new"))
    Path(where.data).mkdir()
    assert keep_before_upgrade(where.ledger, where.data) is None
    assert list(where.data.glob(PATTERN)) == []
