"""A disk that fails: what becomes of what was acknowledged, and of what comes."""

import asyncio
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.errors import OutboxError
from edge_agent.kept_file import FAULTS
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import BEGINNING
from edge_agent.sender import Sender
from edge_agent.spool import Spool
from models.contract import codec, topics
from models.contract.messages import Batch, Receipt
from tests.edge_agent.disk import Call, Rule, failing, takes_nothing
from tests.edge_agent.made import batch, wrong
from tests.edge_agent.test_salvage import BATCHES, MIB, filled, leaves, numbers

ALL = list(range(20, 2 * BATCHES + 1))  #: of `filled`, what has no receipt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = filled(path, "boot-one")
    yield outbox
    outbox.close()


def unreadable(path: Path, page: int, code: int) -> Rule:
    """The disk does not give a page (1 is the first) of a file, wherever that is moved."""
    place = ("read", (page - 1) * 4096, path.stat().st_ino)
    return lambda call: code if (call.operation, call.offset, call.inode) == place else 0


CODES = [errno.EIO, errno.ETIMEDOUT, errno.EUCLEAN]


@pytest.mark.parametrize("code", CODES)
async def test_a_page_that_the_disk_does_not_give_is_left_behind(path: Path, code: int) -> None:
    filled(path, "boot-one").close()
    outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    outbox._db.execute("PRAGMA cache_size=1")
    spool, pages = Spool(outbox), leaves(path)
    with failing(unreadable(path, pages[len(pages) // 2], code)) as failed:
        await spool.call(outbox.pending, "live", BEGINNING, 10**6)
    assert failed
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == ALL
    assert 2 <= len(lost) <= 2 * BATCHES * 2 // len(pages)
    assert wrong(outbox) == []
    await spool.close()


@pytest.mark.parametrize("code", CODES)
def test_so_it_is_at_the_next_start(path: Path, code: int) -> None:
    filled(path, "boot-one").close()
    pages = leaves(path)
    with failing(unreadable(path, pages[1], code)) as failed:
        outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
    assert failed
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == ALL
    assert len(lost) <= 2 * BATCHES * 2 // len(pages)
    outbox.close()


def test_a_log_that_the_disk_does_not_give_hides_nothing_else(tmp_path: Path) -> None:
    running = filled(tmp_path / "o.db", "boot-one")
    running._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    running.append([("live", batch([7.0]))])
    killed = tmp_path / "killed"
    killed.mkdir()
    for end in ("", "-wal"):
        shutil.copy(tmp_path / f"o.db{end}", killed)
    running.close()
    with failing(lambda call: errno.EIO if call[:2] == ("read", "o.db-wal") else 0) as failed:
        outbox = Outbox(killed / "o.db", "boot-two", max_bytes=4 * MIB)
    assert failed
    assert numbers(outbox, "boot-one") == ([n for n in ALL if n != ALL[-1]], [ALL[-1]])
    assert (killed / "o.db.unreadable-boot-two-wal").stat().st_size > 4096
    outbox.close()


async def test_a_write_that_the_disk_fails_takes_nothing_and_is_done_again(outbox: Outbox) -> None:
    spool = Spool(outbox)
    with failing(takes_nothing):
        for _ in range(3):
            with pytest.raises(OutboxError, match="disk I/O error"):
                await spool.append("live", batch([7.0]))
    assert (await spool.append("live", batch([7.0]))).seq == ALL[-1] + 1
    there, lost = numbers(outbox, "boot-one")
    assert (there, lost) == ([*ALL[:-1], ALL[-1] + 1], [ALL[-1]])
    assert outbox.mended is None


async def test_where_the_same_file_takes_nothing_another_one_does(
    outbox: Outbox, path: Path
) -> None:
    spool = Spool(outbox)
    told: list[str] = []
    spool.mended = told.append
    (path.parent / "held").hardlink_to(path.with_name("o.db-wal"))  # no other file gets its number
    bad = (path.parent / "held").stat().st_ino
    with failing(lambda call: errno.EIO if (call[0], call.inode) == ("write", bad) else 0):
        for _ in range(FAULTS - 1):
            with pytest.raises(OutboxError):
                await spool.append("live", batch([7.0]))
        assert (await spool.append("live", batch([7.0]))).seq == ALL[-1] + 1
    there, lost = numbers(outbox, "boot-one")
    assert (there, lost) == ([*ALL[:-1], ALL[-1] + 1], [ALL[-1]])
    assert len(told) == 1
    assert "0 readings declared as lost" in told[0]


async def test_while_no_file_is_taken_what_waits_is_still_sent(outbox: Outbox) -> None:
    spool = Spool(outbox)
    with failing(takes_nothing):
        for _ in range(2 * FAULTS):
            with pytest.raises(OutboxError):
                await spool.append("live", batch([7.0]))
        found = await spool.call(outbox.pending, "live", BEGINNING, 10**6)
    assert len(found) == BATCHES - 10
    assert (await spool.append("live", batch([7.0]))).kept


async def test_a_copy_that_the_disk_fails_is_made_again_and_loses_nothing_more(
    outbox: Outbox, path: Path
) -> None:
    spool, pages, failures = Spool(outbox), leaves(path), 1
    bad = unreadable(path, pages[2], errno.EIO)
    outbox._db.execute("PRAGMA cache_size=1")

    def rule(call: Call) -> int:
        nonlocal failures
        if call[:2] == ("write", "o.db.new-wal") and call.offset > 20_000 and failures:
            failures -= 1
            return errno.EIO
        return bad(call)

    with failing(rule):
        with pytest.raises(OutboxError, match="disk I/O error"):
            await spool.call(outbox.pending, "live", BEGINNING, 10**6)
        await spool.call(outbox.births)
    there, lost = numbers(outbox, "boot-one")
    assert sorted(there + lost) == ALL
    assert 2 <= len(lost) <= 2 * BATCHES * 2 // len(pages)


class Cloud:
    """A wire that tells what came: the stream, and the number of its last sample."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        said = codec.decode(topics.parse(topic), payload)
        if isinstance(said, Batch):
            await self.came.put((topic.rpartition("/")[2], (said.seq or 0) + said.count - 1))


async def test_receipts_that_the_disk_does_not_take_hold_nothing_up(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    spool, wire = Spool(outbox), Cloud()
    sender = Sender("acme.gw1", spool, window=8)
    sending = asyncio.create_task(sender.run(wire))
    last = {"live": ALL[-2], "alarm": 0}
    with failing(takes_nothing):
        async with asyncio.timeout(120):
            while last:
                stream, seq = await wire.came.get()
                await sender.receipt(Receipt(boot="boot-one", stream=stream, hwm=seq))
                if last.get(stream) == seq:
                    del last[stream]
    sending.cancel()
    await asyncio.wait([sending])
    assert caplog.text.count("receipts cannot be noted on the disk") == 1
    assert outbox.bytes > 0
    await spool.call(outbox.tend)
    assert outbox.bytes == 0
    assert outbox.unreceipted("boot-one", "live") == ALL[-1]


def test_a_start_whose_disk_has_no_room_for_the_logs_index_leaves_a_sound_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.db"
    Outbox(path, "boot-one", max_bytes=4 * MIB).close()
    outbox = Outbox(path, "boot-one", max_bytes=4 * MIB)
    outbox.append([("live", batch([1.0]))])
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("o.db", "o.db-wal"):
        (killed / name).write_bytes((tmp_path / name).read_bytes())
    outbox.close()

    def no_index(call: Call) -> int:
        return errno.ENOSPC if (call.operation, call.name) == ("write", "o.db-shm") else 0

    with failing(no_index), pytest.raises(OutboxError) as error:
        Outbox(killed / "o.db", "boot-two", max_bytes=4 * MIB)
    assert type(error.value) is OutboxError
    assert not [*killed.glob("*unreadable*")]
    outbox = Outbox(killed / "o.db", "boot-two", max_bytes=4 * MIB)
    assert len(outbox.pending("live")) == 1
    outbox.close()
