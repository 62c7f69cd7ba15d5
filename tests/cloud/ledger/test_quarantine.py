from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cloud.errors import NotFound
from cloud.ledger import Ledger, QuarantineCount
from cloud.ledger.quarantine import device_of
from tests.cloud.ledger.made import T0


@dataclass(frozen=True)
class Aside:
    n: int
    topic: str = "pm/1/acme.p1/up/t/live"
    reason: str = "unreadable"
    detail: str = "not JSON"
    payload: bytes = b"{{{"
    at_ns: int = T0


def _counts(ledger: Ledger) -> dict[tuple[str, str], tuple[int, int]]:
    return {(c.device, c.reason): (c.count, c.kept) for c in ledger.quarantine_counts()}


def test_what_is_set_aside_is_kept_with_its_bytes(ledger: Ledger) -> None:
    assert ledger.quarantine_add([Aside(1), Aside(2, reason="version")]) == 2
    rows, _ = ledger.quarantine()
    assert [(r.n, r.reason, r.payload) for r in rows] == [
        (2, "version", b"{{{"),
        (1, "unreadable", b"{{{"),
    ]
    assert ledger.quarantine_item(rows[0].id) == rows[0]
    assert [r.n for r in ledger.quarantine(reason="version")[0]] == [2]
    assert ledger.quarantine(device="acme.other")[0] == []
    with pytest.raises(NotFound):
        ledger.quarantine_item("x")


def test_a_replay_counts_once(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    asides = [Aside(1), Aside(1, detail="column b"), Aside(2)]
    assert ledger.quarantine_add(asides) == 3
    assert reopen().quarantine_add(asides) == 0
    assert ledger.quarantine_add([*asides, Aside(3)]) == 1
    assert _counts(ledger) == {("acme.p1", "unreadable"): (4, 4)}


def test_one_device_gets_a_tenth_and_the_rest_is_hashed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.ledger.quarantine.MESSAGES", 50)
    monkeypatch.setattr("cloud.ledger.quarantine.HASHES", 60)
    ledger.quarantine_add([Aside(n) for n in range(20)])
    ledger.quarantine_add([Aside(n) for n in range(20, 90)])
    ledger.quarantine_add([Aside(1000, topic="pm/1/acme.p2/up/birth")])
    assert _counts(ledger) == {
        ("acme.p1", "unreadable"): (90, 5),
        ("acme.p2", "unreadable"): (1, 1),
    }
    rows, _ = ledger.quarantine(device="acme.p1", limit=1000)
    assert len(rows) == 60
    assert sum(row.payload is not None for row in rows) == 5
    assert len({row.sha256 for row in rows}) == 1


def test_bytes_are_bounded_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.ledger.quarantine.BYTES", 1000)
    ledger.quarantine_add([Aside(n, payload=bytes(60)) for n in range(3)])
    assert _counts(ledger) == {("acme.p1", "unreadable"): (3, 1)}


def test_counts_say_when_it_happened_last(ledger: Ledger) -> None:
    ledger.quarantine_add([Aside(1, topic="other/thing")])
    (count,) = ledger.quarantine_counts()
    assert isinstance(count, QuarantineCount)
    assert count.device == ""
    assert count.last_ns == T0  # when it was received, also in a replay
    assert [e.type for e in ledger.events(subject_id="-")[0]] == ["first"]


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("pm/1/acme.p1/up/t/live", "acme.p1"),
        ("pm/2/acme.p1/up/t/live", ""),
        ("", ""),
        ("pm/1/acme.p1", ""),
    ],
)
def test_the_device_is_read_from_the_topic(topic: str, device: str) -> None:
    assert device_of(topic) == device
