"""An outbox whose file is no longer at its path: a stick was pulled, a folder mounted over."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.errors import OutboxGone
from edge_agent.outbox import Outbox
from edge_agent.spool import Spool
from tests.edge_agent.made import batch, birth

MIB = 1024 * 1024


def deleted(path: Path) -> None:
    path.unlink()


def pulled(path: Path) -> None:
    path.parent.rename(path.parent.with_name("pulled"))


def mounted_over(path: Path) -> None:
    pulled(path)
    path.parent.mkdir()


def copied(path: Path) -> None:
    pulled(path)
    shutil.copytree(path.parent.with_name("pulled"), path.parent)


WAYS = [deleted, pulled, mounted_over, copied]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "stick" / "o.db", "boot-one", max_bytes=4 * MIB)
    outbox.append([("live", batch([1.0]))])
    with contextlib.closing(outbox):
        yield outbox


@pytest.mark.parametrize("way", WAYS)
def test_it_says_so_and_takes_nothing(outbox: Outbox, way: Callable[[Path], None]) -> None:
    assert outbox.path
    way(outbox.path)
    before = outbox.numbers.copy()
    for step in (
        lambda: outbox.append([("live", batch([2.0]))]),
        lambda: outbox.remember(birth("boot-one")),
        lambda: outbox.forget("boot-one", "live", 0),
        outbox.tend,
    ):
        with pytest.raises(OutboxGone, match=r"o\.db: (it is no longer|another file is) there"):
            step()
    assert outbox.numbers == before
    assert [stored.seq for stored in outbox.pending("live")] == [0]


def test_where_it_is_put_back_it_goes_on(outbox: Outbox) -> None:
    assert outbox.path
    pulled(outbox.path)
    with pytest.raises(OutboxGone):
        outbox.tend()
    outbox.path.parent.with_name("pulled").rename(outbox.path.parent)
    assert outbox.append([("live", batch([2.0]))])[0].seq == 1
    outbox.tend()


@pytest.mark.parametrize(("way", "noted"), [(deleted, True), (pulled, False)])
def test_what_was_read_meanwhile_is_noted_beside_it(
    outbox: Outbox, way: Callable[[Path], None], noted: bool
) -> None:
    assert outbox.path
    way(outbox.path)
    assert outbox.lose("live", 2) is noted
    with contextlib.closing(Outbox(outbox.path, "boot-two", max_bytes=4 * MIB)) as later:
        assert [gap.ranges for gap in later.gaps()] == ([((1, 2),)] if noted else [])


async def test_a_damaged_file_that_is_gone_is_not_renewed(outbox: Outbox) -> None:
    path, spool = outbox.path, Spool(outbox)
    assert path
    content = bytearray(path.read_bytes())
    copied(path)
    outbox._db.close()  # stands for any error that renews it
    with pytest.raises(OutboxGone):
        await spool.append("live", batch([2.0]))
    assert path.read_bytes() == content
    assert list(path.parent.glob("*unreadable*")) == []
