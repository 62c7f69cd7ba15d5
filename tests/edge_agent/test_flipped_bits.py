"""The device's files, damaged anywhere: nothing is sent, declared or counted that never was."""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_agent import first_page, sums
from edge_agent.errors import OutboxCorrupt
from edge_agent.lost_file import LostFile
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import SUMMED, Dropped, Entry, Faults
from models.contract.messages import STREAMS
from tests.damage import PAGE, damages, flips
from tests.edge_agent.made import batch, birth

MIB = 1024 * 1024
BATCHES = 24
LOST = range(9, 12)  #: batches that were refused, and are declared


class Said(NamedTuple):
    """What an outbox sends and declares of its first start's `live` stream."""

    sent: dict[int, bytes]
    gaps: set[int]
    unreceipted: int


def made(path: Path) -> Said:
    with contextlib.closing(Outbox(path, "boot-one", max_bytes=MIB)) as outbox:
        outbox.remember(birth("boot-one"))
        for n in range(BATCHES):
            outbox.append([("live", batch([float(n), 20.0 + n / 7]))])
        outbox.discard("boot-one", "live", 2 * LOST.start, 2 * LOST.stop - 1, "refused")
        outbox.forget("boot-one", "live", 5)
        return said(outbox)


def said(outbox: Outbox) -> Said:
    """Read all, and go on with a renewed file where it is damaged, as the spool does."""
    for _ in range(2):
        try:
            with Faults(outbox.path):
                sent = {one.seq: one.payload for one in outbox.pending("live", limit=100)}
                gaps = {
                    number
                    for gap in outbox.gaps()
                    for first, last in gap.ranges
                    for number in range(first, last + 1)
                    if gap.stream == "live" and gap.boot == "boot-one"
                }
        except OutboxCorrupt as error:
            outbox.renew(error)
        else:
            return Said(sent, gaps, outbox.unreceipted("boot-one", "live"))
    raise AssertionError("a renewed outbox is damaged")


def said_again(path: Path) -> Said:
    with contextlib.closing(Outbox(path, "boot-three", max_bytes=MIB)) as outbox:
        return said(outbox)


def without_sums(path: Path) -> None:
    """Make of it the outbox of an earlier version."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        for table in SUMMED:
            db.execute(f"ALTER TABLE {table} DROP COLUMN crc")


def after(path: Path, content: bytes) -> Said:
    for one in path.parent.iterdir():
        one.unlink()
    path.write_bytes(content)
    with contextlib.closing(Outbox(path, "boot-two", max_bytes=MIB)) as outbox:
        return said(outbox)


def test_an_outbox_sends_what_was_taken_or_declares_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    content = path.read_bytes()
    assert after(path, content) == good
    wrong = []
    for what, spoiled in flips(content, 60):
        found = after(path, spoiled)
        here = {number for seq in found.sent for number in (seq, seq + 1)}
        if (
            not found.sent.items() <= good.sent.items()
            or here & found.gaps
            or not found.gaps >= good.gaps
            or found.unreceipted > good.unreceipted
        ):
            wrong.append((what, found))
    assert wrong == []


def first_pages(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Flipped bits in the first page's head and in its names of tables; pages of other content."""
    begin = int.from_bytes(content[105:107])
    for what, spoiled in flips(content[:124], 31):
        yield what, spoiled + content[len(spoiled) :]
    for what, spoiled in flips(content[begin:PAGE], 24):
        yield f"{what} from {begin}", content[:begin] + spoiled + content[PAGE:]
    for page in (bytes(PAGE), b"\xff" * PAGE, content[-PAGE:]):
        yield f"{page[:4]!r}", page + content[PAGE:]


@pytest.mark.parametrize("summed", [True, False])
def test_an_outbox_loses_nothing_with_its_first_page(tmp_path: Path, *, summed: bool) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    if not summed:
        without_sums(path)
    content = path.read_bytes()
    wrong = [what for what, spoiled in first_pages(content) if after(path, spoiled) != good]
    assert wrong == []


def test_an_outbox_whose_first_page_was_replaced_before_a_kill_is_renewed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    first_page.replace(path, path)
    found = after(path, path.read_bytes())
    assert found == good
    assert (tmp_path / "outbox.db.unreadable-boot-two").exists()
    assert said_again(path) == good
    assert not (tmp_path / "outbox.db.unreadable-boot-three").exists()


def test_an_outbox_that_was_vacuumed_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM")
    assert after(path, path.read_bytes()) == good
    assert not (tmp_path / "outbox.db.unreadable-boot-two").exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE counters SET hwm = hwm + 16 WHERE stream = (SELECT stream FROM batches)",
        "UPDATE counters SET next = next - 16 WHERE stream = (SELECT stream FROM batches)",
        "UPDATE gaps SET last = last + 8",
        "UPDATE batches SET boot = 2 WHERE seq = 14",
        "UPDATE batches SET payload = zeroblob(length(payload)) WHERE seq = 14",
        "UPDATE batches SET payload = (SELECT payload FROM batches WHERE seq = 30) WHERE seq = 14",
        "UPDATE boots SET boot = 'boot-ond'",
    ],
)
def test_a_row_that_changed_is_not_believed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        assert db.execute(change).rowcount
    found = after(path, path.read_bytes())
    assert found.sent.items() <= good.sent.items()
    assert not found.gaps & {number for seq in found.sent for number in (seq, seq + 1)}
    assert found.unreceipted <= good.unreceipted


def test_the_outbox_of_an_earlier_version_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    good = made(path)
    without_sums(path)
    assert after(path, path.read_bytes()) == good
    with contextlib.closing(Outbox(path, "boot-three", max_bytes=MIB)) as outbox:
        outbox.append([("live", batch([1.0]))])
        assert [one.boot for one in outbox.pending("live", limit=100)][-1] == "boot-three"


def test_checksums_are_those_of_the_files_that_devices_have() -> None:
    entry = Entry(4, 120, 60, 1_790_000_000_000_000_000, b"payload")
    assert sums.of_batch(3, entry) == zlib.crc32(b"3 [4, 120, 60, 1790000000000000000]payload")
    assert sums.of_counter("boot-one", 3, 4, 180, -1) == zlib.crc32(b"boot-one 3 4 180 -1")
    assert sums.of_gap(3, 4, 0, 59, "full") == zlib.crc32(b"3 4 0 59 full")


def test_the_page_of_what_was_lost_is_never_read_as_another(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db.lost"
    rank = STREAMS.index("live")
    page = LostFile(path, "boot-one")
    assert page.write(
        [Dropped(1, rank, 3, 9, "full"), Dropped(1, rank, 20, 29, "full")], {"boot-one": 1}
    )
    good = page.read()
    assert len(good) == 2
    content = path.read_bytes()
    for _, spoiled in damages(content.rstrip(b" "), 60):
        path.write_bytes(spoiled)
        assert LostFile(path, "boot-one").read() in (good, [])
