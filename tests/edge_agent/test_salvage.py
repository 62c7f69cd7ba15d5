"""Pages of the outbox that the disk spoils while the agent runs, or between two starts."""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.agent import Agent
from edge_agent.errors import OutboxError
from edge_agent.lost_file import LostFile
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import BEGINNING, Dropped, disk_bytes
from edge_agent.spool import Spool
from models.contract import codec, topics
from models.contract.messages import Batch
from tests.edge_agent.made import batch, birth, wrong

MIB = 1024 * 1024
PAGE = 4096
TOPIC = topics.parse("pm/1/a.b/up/t/live")
BATCHES = 800


def spoil(path: Path, *pages: int, byte: bytes = b"\xff") -> None:
    """Overwrite pages (1 is the first) so that whoever has the file open reads them anew."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.open("r+b") as file:
            for page in pages:
                file.seek((page - 1) * PAGE)
                file.write(byte * PAGE)
        db.execute("PRAGMA user_version=1")


def leaves(path: Path) -> list[int]:
    """The pages that hold batches, oldest first. Those of the index begin with another byte."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    whole = path.read_bytes()
    pages = [whole[at : at + PAGE] for at in range(0, len(whole), PAGE)]
    return [n for n, page in enumerate(pages, 1) if page[0] == 13 and b"dtemp" in page]


def claim_too_much(path: Path) -> None:
    """Let a row say that it has 4 GB and a long header: SQLite says that memory is short."""
    begin, whole = (leaves(path)[3] - 1) * PAGE, bytearray(path.read_bytes())
    row = begin + int.from_bytes(whole[begin + 5 : begin + 7])  # the last of its page
    whole[row : row + 18] = b"\xff" * 14 + b"\x84\x23\xf3\x00"  # its size, id and header's size
    path.write_bytes(whole)


def filled(path: Path, boot: str) -> Outbox:
    """An outbox with batches of two samples, the first ten receipted, and a gap of one."""
    outbox = Outbox(path, boot, max_bytes=4 * MIB)
    outbox.remember(birth(boot))
    for n in range(0, BATCHES, 40):
        outbox.append([("live", batch([float(i), 0.5])) for i in range(n, n + 40)])
    outbox.append([("alarm", batch([1.0]))])
    outbox.lose("live", 1)
    outbox.forget(boot, "live", 19)
    return outbox


def numbers(outbox: Outbox, boot: str) -> tuple[list[int], list[int]]:
    """What is there of a boot's live readings, and what is declared as lost; each batch is read."""
    there: list[int] = []
    lost: list[int] = []
    for stored in outbox.pending("live", BEGINNING, 10**6):
        said = codec.decode(TOPIC, stored.payload)
        assert isinstance(said, Batch)
        assert (said.boot, said.seq, said.count) == (stored.boot, stored.seq, stored.samples)
        if stored.boot == boot:
            there += range(stored.seq, stored.last + 1)
    for gap in outbox.gaps():
        if (gap.boot, gap.stream) == (boot, "live"):
            lost += [n for first, last in gap.ranges for n in range(first, last + 1)]
    return there, lost


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(filled(tmp_path / "o.db", "boot-one"))
    yield spool
    await spool.close()


def path_of(spool: Spool) -> Path:
    assert spool.outbox.path is not None
    return spool.outbox.path


def check_loses_its_own(path: Path, pages: int) -> None:
    """Check that a new start has or declares every reading, and has all but those of few pages."""
    outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 1))
    assert len(lost) <= 2 * BATCHES * 3 // pages
    outbox.close()


async def test_a_read_that_meets_a_spoilt_page_goes_on_without_it(spool: Spool) -> None:
    path = path_of(spool)
    told: list[str] = []
    spool.mended = told.append
    pages = leaves(path)
    spoil(path, pages[len(pages) // 2], pages[len(pages) // 4])
    found = await spool.call(spool.outbox.pending, "live", BEGINNING, 10**6)
    there, lost = numbers(spool.outbox, "boot-one")
    assert len(found) == len(there) // 2
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 1))
    assert 2 <= len(lost) <= 2 * BATCHES * 3 // len(pages)  # of two pages, not of all between
    assert {gap.reason for gap in spool.outbox.gaps()} == {"damaged", "unstored"}
    assert told == [
        f"outbox was damaged, kept as o.db.unreadable-boot-one; {len(lost) - 1} readings declared"
        " as lost"
    ]
    assert len(spool.outbox.births()) == 1
    assert spool.outbox.unreceipted("boot-one", "live") == 20
    assert wrong(spool.outbox) == []


async def test_a_write_that_meets_one_is_stored_under_the_next_number(spool: Spool) -> None:
    path = path_of(spool)
    spoil(path, leaves(path)[-1])
    placed = await spool.append("live", batch([7.0]))
    assert (placed.seq, placed.kept) == (2 * BATCHES + 1, True)
    there, lost = numbers(spool.outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 2))
    assert there[-1] == placed.seq
    await spool.forget("boot-one", "live", placed.seq)
    await spool.forget("boot-one", "alarm", 0)
    assert await spool.empty()


async def test_each_spoilt_page_is_mended(spool: Spool) -> None:
    path = path_of(spool)
    for _ in range(3):
        spoil(path, leaves(path)[1])
        await spool.call(spool.outbox.pending, "live", BEGINNING, 10**6)
    there, lost = numbers(spool.outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 1))
    assert len(there) > BATCHES
    assert sorted(p.name for p in path.parent.glob("*unreadable*")) == ["o.db.unreadable-boot-one"]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_spoilt_no_number_is_without_its_word(spool: Spool, seed: int) -> None:
    path, chance = path_of(spool), random.Random(seed)
    count = path.stat().st_size // PAGE
    pages = chance.sample(range(1, count + 1), chance.randint(1, count))
    spoil_all = pages if chance.random() < 0.7 else range(1, count + 1)
    spoil(path, *spoil_all, byte=chance.choice([b"\xff", b"\0", b"\x0d"]))
    placed = await spool.append("live", batch([7.0]))
    await spool.call(spool.outbox.births)
    await spool.call(spool.outbox.pending, "live", BEGINNING, 10**6)
    await spool.call(spool.outbox.gaps)
    there, lost = numbers(spool.outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, placed.seq + 1))
    assert placed.seq in there
    assert wrong(spool.outbox) == []


async def test_where_there_is_no_room_for_a_new_file_the_old_one_stays(spool: Spool) -> None:
    path = path_of(spool)
    spoil(path, leaves(path)[2])
    spoilt = path.read_bytes()[PAGE:]
    (path.parent / "o.db.new").mkdir()  # stands for a folder that takes no file
    for _ in range(2):
        with pytest.raises(OutboxError):
            await spool.call(spool.outbox.pending, "live", BEGINNING, 10**6)
    assert path.read_bytes()[PAGE:] == spoilt
    (path.parent / "o.db.new").rmdir()
    assert (await spool.append("live", batch([7.0]))).kept
    there, lost = numbers(spool.outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 2))


def test_the_next_start_takes_over_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    pages = leaves(path)
    whole = bytearray(path.read_bytes())
    for page in (pages[1], pages[-2]):
        whole[(page - 1) * PAGE + 8 : page * PAGE] = random.Random(1).randbytes(PAGE - 8)
    path.write_bytes(whole)
    (tmp_path / "o.db.new").write_bytes(b"of a start that was killed")
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.DatabaseError):
        db.execute("SELECT total(length(payload)) FROM batches").fetchall()
    db.close()
    outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == list(range(20, 2 * BATCHES + 1))
    assert 2 <= len(lost) <= 2 * BATCHES * 3 // len(pages)
    assert (tmp_path / "o.db.unreadable-boot-two").read_bytes()[PAGE:] == whole[PAGE:]
    assert not (tmp_path / "o.db.new").exists()
    assert disk_bytes(path) < 4 * MIB
    outbox.close()


@pytest.mark.parametrize("pages", [0, 1, 8, 32])
def test_a_file_that_is_no_outbox_is_asked_by_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    asked: list[str] = []

    class Counted(sqlite3.Connection):
        def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
            asked.append(query)
            return super().execute(query, *values)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Counted))
    path = tmp_path / "o.db"
    path.write_bytes(b"something else" + random.Random(1).randbytes(PAGE * pages))
    with contextlib.closing(Outbox(path, "boot-one", max_bytes=4 * MIB)) as outbox:
        assert outbox.append([("live", batch([1.0]))])[0].kept
        assert outbox.mended
    assert 1 <= sum("batches WHERE id" in one for one in asked) <= 257 * (pages + 1)


class Fast(Outbox):
    """Nothing is forced to the disk, for large outboxes."""

    SYNCHRONOUS = "OFF"


def test_a_spoilt_first_page_loses_only_its_own_where_ids_are_high(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE batches SET id = id + 1000000000")
        db.execute("VACUUM")
    pages = leaves(path)
    spoil(path, pages[0], pages[len(pages) // 2])
    check_loses_its_own(path, len(pages))


def test_a_page_with_the_content_of_another_gives_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    pages, whole = leaves(path), bytearray(path.read_bytes())
    first, second, third = (slice((page - 1) * PAGE, page * PAGE) for page in pages[3:9:2])
    whole[second] = whole[first]
    whole[third] = b"\xff" * PAGE
    path.write_bytes(whole)
    check_loses_its_own(path, len(pages))


def test_a_row_that_claims_to_be_larger_than_memory_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    claim_too_much(path)
    check_loses_its_own(path, len(leaves(path)))


@pytest.mark.parametrize("waits", [True, False])
def test_a_boot_without_a_name_takes_no_number_of_the_next(tmp_path: Path, waits: bool) -> None:
    path = tmp_path / "o.db"
    outbox = filled(path, "boot-one")
    pages = leaves(path)
    if not waits:
        outbox.forget("boot-one", "live", 2 * BATCHES)
        outbox.forget("boot-one", "alarm", 0)
    outbox.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'boots'")
        names = [root for (root,) in found]
    spoil(path, *names, *pages)
    for boot in ("boot-two", "boot-three"):
        with contextlib.closing(Outbox(path, boot, max_bytes=4 * MIB)) as outbox:
            assert outbox.append([("live", batch([7.0]))])[0].seq == 0
            assert outbox.unreceipted(boot, "live") == 0
            assert numbers(outbox, boot) == ([0], [])
            assert numbers(outbox, "boot-one") == ([], [])
            assert wrong(outbox) == []


def test_a_counter_that_is_no_number_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE counters SET hwm = 'x' WHERE stream = 1")
        gaps = "(1, 77, 1, 2, 'full', NULL), (1, 0, 1, 2, x'00', NULL)"
        db.execute(f"INSERT INTO gaps VALUES {gaps}")
        db.execute("INSERT INTO births VALUES (7, 1, 'd', 'no bytes')")
    spoil(path, leaves(path)[2])
    outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == list(range(min(there), 2 * BATCHES + 1))
    assert all(isinstance(birth, bytes) for birth in outbox.births())
    outbox.close()


def test_a_limit_that_was_lowered_does_not_bound_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    outbox: Outbox = Fast(path, "boot-one", max_bytes=4 * MIB)
    for _ in range(8):
        outbox.append([("live", batch([1.0], pad=1000))] * 200)
    outbox.close()
    pages = leaves(path)
    spoil(path, pages[5])
    outbox = Outbox(path, "boot-two", max_bytes=MIB)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == list(range(1600))
    assert len(lost) <= 1600 * 2 // len(pages)
    assert outbox.append([("live", batch([7.0]))])[0].kept  # the oldest give way, as ever
    outbox.close()


@pytest.mark.parametrize("running", [True, False])
def test_without_room_for_a_copy_all_that_waited_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    path = tmp_path / "o.db"
    outbox = filled(path, "boot-one")
    spoil(path, leaves(path)[2])
    monkeypatch.setattr("edge_agent.salvage.UNBOUNDED", 20)  # pages: the disk has no more
    if running:
        Spool(outbox)._do(outbox.pending, "live", BEGINNING, 10**6)
    else:
        outbox.close()
        outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    assert outbox.mended is not None
    assert "could not be copied (database or disk is full)" in outbox.mended
    there, lost = numbers(outbox, "boot-one")
    assert there == []
    assert lost == list(range(20, 2 * BATCHES + 1))
    assert {gap.stream for gap in outbox.gaps()} == {"live", "alarm"}
    placed = outbox.append([("live", batch([7.0]))])[0]
    assert placed == (2 * BATCHES + 1 if running else 0, 1, True)
    assert len(outbox.births()) == 1
    assert (tmp_path / f"o.db.unreadable-{outbox.boot}").stat().st_size > 20 * PAGE
    outbox.close()


def test_what_the_page_beside_it_says_is_known_before_holes_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    filled(path, "boot-one").close()
    page = LostFile(tmp_path / "o.db.lost", "boot-one")
    page.write([Dropped(1, 1, 1601, 1610, "unstored")], {"boot-one": 1})
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        found = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'counters'")
        counters = found.fetchone()[0]
        db.execute("DELETE FROM gaps")
    spoil(path, counters, leaves(path)[-1])
    outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == list(range(min(there), 1611))
    reasons = [(gap.reason, gap.ranges[-1]) for gap in outbox.gaps() if gap.stream == "live"]
    assert ("unstored", (1601, 1610)) in reasons
    assert page.read() == []
    outbox.close()


async def test_tending_goes_on_after_a_file_that_cannot_be_renewed(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.TEND_S", 0.01)
    path = path_of(spool)
    spoil(path, leaves(path)[2])
    (path.parent / "o.db.new").mkdir()  # stands for a folder that takes no file
    spool.outbox._disk_full = True
    with pytest.raises(OutboxError):
        await spool.call(spool.outbox.pending, "live", BEGINNING, 10**6)
    failed, mended = asyncio.Event(), asyncio.Event()
    heard = logging.Handler()
    monkeypatch.setattr(heard, "emit", lambda _: failed.set())
    spool.mended = lambda _: mended.set()
    agent = SimpleNamespace(publisher=SimpleNamespace(spool=spool))
    logging.getLogger("edge_agent.agent").addHandler(heard)
    tending = asyncio.create_task(Agent._tend(agent))  # type: ignore[arg-type]
    try:
        await asyncio.wait_for(failed.wait(), 30)
        (path.parent / "o.db.new").rmdir()
        await asyncio.wait_for(mended.wait(), 30)
        assert not tending.done()
    finally:
        tending.cancel()
        logging.getLogger("edge_agent.agent").removeHandler(heard)
