import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox import Outbox, Policy
from edge_agent.outbox_file import disk_bytes
from models.contract.messages import STREAMS, Birth, MachineRef
from tests.edge_agent.made import batch, wrong
from tests.mounts import small_disk

MIB = 1024 * 1024
QUOTA = 4 * MIB


def account(outbox: Outbox, stream: str) -> int:
    stored = sum(s.samples for s in outbox.pending(stream, limit=10**6))
    gaps = sum(
        last - first + 1
        for gap in outbox.gaps()
        if gap.stream == stream
        for first, last in gap.ranges
    )
    return stored + gaps


@pytest.mark.parametrize("policy", ["drop-oldest", "reject-new"])
def test_at_its_limit_it_drops_what_the_policy_says_and_declares_it(
    tmp_path: Path, policy: Policy
) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, "b", max_bytes=QUOTA, policy={"live": policy})
    produced = 0
    for i in range(150):
        group = [("live", batch([float(i)] * 10, pad=9000)) for _ in range(5)]
        produced += sum(p.samples for p in outbox.append(group))
        assert disk_bytes(path) <= QUOTA
    assert account(outbox, "live") == produced == 7500
    assert outbox.stats().gap_samples > 0
    (gap,) = outbox.gaps()
    assert gap.reason == "full"
    first_kept = outbox.pending("live")[0].seq
    assert (first_kept == 0) is (policy == "reject-new")
    assert wrong(outbox) == []
    assert outbox.degraded is None  # its own limit, not the disk's
    outbox.close()


def test_alarms_go_last(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "b", max_bytes=QUOTA, policy={"backfill": "reject-new"})
    produced = dict.fromkeys(STREAMS, 0)
    dropped_first: list[str] = []
    for i in range(150):
        outbox.append([(stream, batch([float(i)], pad=9000)) for stream in STREAMS])
        for stream in STREAMS:
            produced[stream] += 1
        for gap in outbox.gaps():
            if gap.stream not in dropped_first:
                dropped_first.append(gap.stream)
    assert dropped_first == ["backfill", "bulk", "live"]
    assert len(outbox.pending("alarm", limit=999)) == 150
    for stream in STREAMS:
        assert account(outbox, stream) == produced[stream]
    for i in range(80):  # nothing but alarms left: now the oldest of them, and no live reading
        outbox.append([("alarm", batch([float(i)], pad=9000))] * 5)
    alarms = len(outbox.pending("alarm", limit=999))
    for _ in range(20):
        outbox.append([("live", batch([1.0], pad=9000))])
    assert len(outbox.pending("live", limit=999)) < 20
    assert len(outbox.pending("alarm", limit=999)) == alarms
    assert account(outbox, "alarm") == 550
    assert account(outbox, "live") == 170
    assert wrong(outbox) == []
    outbox.close()


def test_a_gap_can_be_forgotten_at_the_limit(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "b", max_bytes=QUOTA)
    for i in range(120):
        outbox.append([("live", batch([float(i)], pad=9000))] * 5)
    outbox.forget("b", "live", 599)
    assert outbox.gaps() == []
    assert outbox.pending("live") == []
    assert outbox.bytes == 0
    outbox.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "2m") as disk:
        yield disk


def take_all(disk: Path) -> Path:
    """Somebody else takes all that is left, the reserve apart."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as other, contextlib.suppress(OSError):
        while other.write(bytes(64 * 1024)):
            pass
    assert shutil.disk_usage(disk).free < 64 * 1024
    return ballast


def test_a_really_full_disk_keeps_what_is_there_and_recovers(small: Path) -> None:
    path = small / "outbox.db"
    outbox = Outbox(path, "b", max_bytes=MIB)
    produced = 0
    for i in range(100):
        ballast = take_all(small)
        for _ in range(4):
            produced += sum(p.samples for p in outbox.append([("live", batch([i], pad=30_000))]))
        assert account_with_unwritten(outbox) == produced
        assert outbox.pending("live")
        ballast.unlink()
        outbox.tend()
        if i % 10 == 0:
            assert wrong(outbox) == []
    assert outbox.degraded is None
    assert account(outbox, "live") == produced == 400
    outbox.close()


def account_with_unwritten(outbox: Outbox) -> int:
    unwritten = sum(d.last - d.first + 1 for d in outbox.numbers.unwritten)
    return account(outbox, "live") + unwritten


def test_a_full_disk_is_reported_until_there_is_room(small: Path) -> None:
    outbox = Outbox(small / "outbox.db", "b", max_bytes=QUOTA)  # more than the disk has
    ballast = take_all(small)
    for i in range(40):
        outbox.append([("live", batch([float(i)], pad=30_000))])
    told = [outbox.degraded]
    outbox.tend()
    told.append(outbox.degraded)
    ballast.unlink()
    outbox.forget("b", "live", 39)
    outbox.tend()
    told.append(outbox.degraded)
    assert told == ["disk", "disk", None]
    outbox.close()


def test_a_birth_that_the_full_disk_cannot_keep_is_still_sent(small: Path) -> None:
    outbox = Outbox(small / "outbox.db", "b", max_bytes=MIB)
    birth = Birth(boot="b", dictionary="0badcafe", metrics=(), machines={"": MachineRef()})
    take_all(small)
    (small / "outbox.db.reserve").unlink()
    take_all(small)
    outbox.remember(birth)
    (payload,) = outbox.births()
    assert b"0badcafe" in payload
    outbox.close()


def test_what_a_full_disk_lost_is_declared_after_a_restart(small: Path) -> None:
    outbox = Outbox(small / "outbox.db", "b", max_bytes=MIB)
    outbox.append([("live", batch([1.0], pad=30_000))])
    take_all(small)
    (small / "outbox.db.reserve").unlink()
    ballast = take_all(small)
    produced = 1
    while not outbox.numbers.unwritten:
        produced += sum(p.samples for p in outbox.append([("live", batch([2.0], pad=30_000))]))
    outbox.lose("bulk", 3)
    outbox.close()
    ballast.unlink()
    again = Outbox(small / "outbox.db", "c", max_bytes=MIB)
    assert account(again, "live") == produced
    assert account(again, "bulk") == 3
    assert again.noted > 3
    again.forget("b", "live", produced)
    again.forget("b", "bulk", 2)
    assert again.gaps() == []
    again.close()
