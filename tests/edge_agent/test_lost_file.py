"""What the disk does not take: what becomes of it, and of the page that says so."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.errors import OutboxError
from edge_agent.lost_file import LostFile
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Dropped
from edge_agent.settings import OutboxSettings
from edge_agent.spool import open_outbox
from models.contract.messages import MAX_NUMBER
from tests.edge_agent.made import batch

MIB = 1024 * 1024
BOOT = "boot-one"
FULL, FAULT = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR


class Faulty(Outbox):
    """Its disk gives these codes for the next transactions, None for one that goes well."""

    def _open(self) -> None:
        self.codes: list[int | None] = []
        super()._open()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if code := self.codes.pop(0) if self.codes else None:
            error = sqlite3.OperationalError("the disk has no room, or a fault")
            error.sqlite_errorcode = code
            raise error
        with super()._transaction() as db:
            yield db


def faulty(path: Path) -> Faulty:
    return Faulty(path, BOOT, max_bytes=4 * MIB)


def start(path: Path) -> tuple[list[tuple[str, str, tuple[tuple[int, int], ...], str]], str | None]:
    """What the next start declares, and what it mended."""
    outbox = open_outbox(OutboxSettings(path=str(path), max_mb=4), "boot-two")
    with contextlib.closing(outbox):
        return [
            (gap.boot, gap.stream, gap.ranges, gap.reason) for gap in outbox.gaps()
        ], outbox.mended


def noted(path: Path, *drops: Dropped) -> Path:
    """The page of an outbox at `path`."""
    page = path.with_name(path.name + ".lost")
    LostFile(page, BOOT).write(drops, {BOOT: 1})
    return page


DAMAGES = {
    "a letter of the stream": (b'"live"', b'"lhve"'),
    "a digit of a number": (b"0,9", b"0,1"),
    "a number that has no end": (b"0,9", b"0," + b"9" * 20),
    "not all of it written": (b',"unstored"]]', b""),
    "no JSON": (b"[[", b"{["),
    "no sum": (b" [", b"["),
}


@pytest.mark.parametrize(("old", "new"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_page_is_set_aside_and_the_agent_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, old: bytes, new: bytes
) -> None:
    path = tmp_path / "o.db"
    page = noted(path, Dropped(1, 1, 0, 9, "unstored"))
    damaged = page.read_bytes().replace(old, new, 1)
    page.write_bytes(damaged)
    assert start(path) == ([], None)
    assert "what it held cannot be declared; it is kept as" in caplog.text
    assert (tmp_path / "o.db.lost.unreadable-boot-two").read_bytes() == damaged
    caplog.clear()
    assert start(path) == ([], None)
    assert caplog.text == ""


@pytest.mark.parametrize(("first", "last"), [(9, 0), (0, MAX_NUMBER + 1), (-1, 0)])
def test_a_page_that_is_no_list_of_gaps_is_set_aside(tmp_path: Path, first: int, last: int) -> None:
    path = tmp_path / "o.db"
    noted(path, Dropped(1, 1, first, last, "unstored"))
    assert start(path) == ([], None)
    assert (tmp_path / "o.db.lost.unreadable-boot-two").exists()


@pytest.mark.parametrize("table", ["gaps", "births", "counters", "boots", "batches"])
def test_a_damaged_table_is_found_at_the_start_and_what_was_lost_is_declared(
    tmp_path: Path, table: str
) -> None:
    path = tmp_path / "o.db"
    outbox = Outbox(path, BOOT, max_bytes=4 * MIB)
    outbox.append([("live", batch([1.0]))])
    outbox.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        root = db.execute(query, (table,)).fetchone()[0]
    pages = bytearray(path.read_bytes())
    pages[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(pages)
    noted(path, Dropped(1, 1, 1, 9, "full"))
    lost = [(BOOT, "live", ((0, 0),), "damaged")] if table == "batches" else []
    gaps = [*lost, (BOOT, "live", ((1, 9),), "full")]
    kept = "outbox was damaged, kept as o.db.unreadable-boot-two"
    assert start(path) == (gaps, f"{kept}; {len(lost)} readings declared as lost")
    assert start(path) == (gaps, None)


def test_each_range_is_declared_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    outbox = faulty(path)
    outbox.codes = [FULL] * 99
    large = batch([1.0] * 10, pad=400_000)
    group = [("live", large), ("live", batch([1.0] * 10)), ("live", large)]
    assert not any(placed.kept for placed in outbox.append(group))
    outbox.append([("live", large)])
    outbox.close()
    assert outbox.codes
    gaps, _ = start(path)
    assert gaps == [
        (BOOT, "live", ((0, 9), (20, 39)), "too-large"),
        (BOOT, "live", ((10, 19),), "full"),
    ]


def test_more_ranges_than_a_page_takes_are_joined(tmp_path: Path) -> None:
    page = tmp_path / "o.db.lost"
    file = LostFile(page, BOOT)
    drops = [Dropped(1, 1, i, i, ("full", "too-large")[i % 2]) for i in range(200)]
    assert file.write(drops, {BOOT: 1})
    assert page.stat().st_size == 4096
    assert [(lost.first, lost.last) for lost in file.read()] == [(0, 199)]


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    outbox = faulty(tmp_path / "away" / "o.db")
    (tmp_path / "away").rename(tmp_path / "there")
    outbox.codes = [FAULT]
    assert not outbox.lose("live", 3)
    (tmp_path / "there").rename(tmp_path / "away")
    outbox.codes = []
    assert outbox.lose("live", 3)
    outbox.close()


def test_a_fault_before_anything_is_stored_takes_nothing(tmp_path: Path) -> None:
    outbox = faulty(tmp_path / "o.db")
    group = [("live", batch([1.0] * 10)), ("live", batch([2.0] * 10))]
    outbox.codes = [FULL, FULL, FULL, FAULT]  # all, the first, again with the reserve, making room
    with pytest.raises(OutboxError):
        outbox.append(group)
    assert outbox.codes == []
    outbox.append(group)
    assert [(s.seq, s.samples) for s in outbox.pending("live")] == [(0, 10), (10, 10)]
    assert outbox.gaps() == []
    outbox.close()


@pytest.mark.parametrize("codes", [[FULL, None, FAULT], [FULL, None, FULL, FULL, FAULT]])
def test_a_fault_after_a_part_is_stored_does_not_store_it_twice(
    tmp_path: Path, codes: list[int | None]
) -> None:
    outbox = faulty(tmp_path / "o.db")
    outbox.codes = codes
    group = [("live", batch([1.0] * 10)), ("live", batch([2.0] * 10))]
    assert [placed.kept for placed in outbox.append(group)] == [True, False]
    assert codes == []
    assert [(s.seq, s.samples) for s in outbox.pending("live")] == [(0, 10)]
    assert [gap.ranges for gap in outbox.gaps()] == [((10, 19),)]
    outbox.close()
