import io
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.errors import StoreCorrupt, StoreError
from cloud.ledger import Ledger, Reply, Verdict, open_ledger
from cloud.ledger.database import HEAD, Database
from cloud.ledger.dump import dump, load
from tests.cloud import postgres
from tests.cloud.ledger.made import Clock, assess, band, high, profiles


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A ledger with a row in most tables."""
    for n in range(1, 30):
        ledger.file(n, [assess(n, high(active=n % 3 > 0), lives=(band(1, 2, 3.25),))])
    (ticket,), _ = ledger.tickets()
    ledger.acknowledge(ticket.id, ticket.version, actor="ännä 安娜")
    (alert,) = ledger.alerts_due(2**62)
    ledger.alert_sent(alert.batch_id or "", "mail")
    ledger.resolve(
        ticket.id, ticket.version + 1, actor="bo", verdict=Verdict.CONFIRMED, replaced="bearing"
    )
    ledger.once("k", "f", lambda: Reply(status=200, headers=(), body=bytes(range(256))))
    return ledger


def _dumped(url: str) -> tuple[bytes, dict[str, int]]:
    database, out = Database(url), io.BytesIO()
    counts = dump(database, out)
    database.close()
    return out.getvalue(), counts


def test_a_dump_fills_either_database_with_the_same(
    full: Ledger, url: str, tmp_path: Path, server: postgres.Postgres
) -> None:
    content, counts = _dumped(url)
    assert counts["ticket"] == 1
    assert min(counts[name] for name in ("event", "assessment", "evidence", "repair", "reply")) > 0
    for target in (f"sqlite:///{tmp_path / 'other.db'}", server.fresh()):
        database = Database(target, migrate=False)
        assert load(database, io.BytesIO(content)) == counts
        assert database.revision() == HEAD
        database.close()
        assert _dumped(target) == (content, counts)
        again = open_ledger(target, Clock(), profiles())  # numbers go on after the highest
        events = len(again.events(limit=1000)[0])
        again.comment(full.tickets()[0][0].id, actor="cy", text="it goes on")
        assert len(again.events(limit=1000)[0]) == events + 1
        again.file(99, [assess(99, high())])
        assert again.position() == 99
        again.close()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_stream_that_is_cut_off_leaves_an_empty_database(
    full: Ledger, url: str, tmp_path: Path, share: float
) -> None:
    content, _ = _dumped(url)
    database = Database(f"sqlite:///{tmp_path / 'other.db'}", migrate=False)
    with pytest.raises(StoreCorrupt, match="dump"):
        load(database, io.BytesIO(content[: int(len(content) * share)]))
    assert database.revision() is None
    database.close()


def test_a_damaged_stream_is_refused(full: Ledger, url: str, tmp_path: Path) -> None:
    content = _dumped(url)[0]
    database = Database(f"sqlite:///{tmp_path / 'other.db'}", migrate=False)
    for at in range(0, len(content), max(1, len(content) // 97)):
        damaged = bytearray(content)
        damaged[at] ^= 0x40
        with pytest.raises(StoreCorrupt):
            load(database, io.BytesIO(bytes(damaged)))
        assert database.revision() is None
    database.close()


def test_nothing_is_overwritten(full: Ledger, url: str, reopen: Callable[[], Ledger]) -> None:
    content, _ = _dumped(url)
    database = Database(url)
    with pytest.raises(StoreError, match="not empty"):
        load(database, io.BytesIO(content))
    database.close()
    assert reopen().tickets() == full.tickets()


def test_a_dump_of_older_tables_is_brought_up_to_date(tmp_path: Path, empty: str) -> None:
    old = Database(empty)
    old.migrate("0001")
    out = io.BytesIO()
    dump(old, out)
    old.close()
    new = Database(f"sqlite:///{tmp_path / 'new.db'}", migrate=False)
    load(new, io.BytesIO(out.getvalue()))
    assert new.revision() == HEAD
    new.close()
