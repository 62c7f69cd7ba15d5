"""The operator is told of a full disk once, and once that it is over."""

from pathlib import Path

import pytest

from cloud.disk import Shortage
from cloud.ledger import Ledger
from cloud.notify.operator import FIRST_RETRY_S, Operator
from tests.cloud.ledger.made import SECOND, Clock
from tests.cloud.notify.test_notifier import Box, notifier

SHORT = Shortage("/var/cloud", 1_000, 100_000, 7_000)


class Disk:
    """A disk whose shortage the test decides."""

    def __init__(self, short: Shortage | None = None) -> None:
        self.short = short

    def __call__(self) -> Shortage | None:
        return self.short


async def test_it_is_raised_once_and_cleared_once(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    box, disk = Box("mail"), Disk()
    operator = Operator(notifier(ledger, clock, box), disk, tmp_path, clock)
    await operator.look()
    assert box.kept == []
    disk.short = SHORT
    for _ in range(3):
        await operator.look()
    ((key, text),) = box.kept
    assert "/var/cloud" in text.body
    assert "1,000" in text.body
    disk.short = None
    for _ in range(3):
        await operator.look()
    assert len(box.kept) == 2
    assert box.kept[1][0] != key
    assert "恢复" in box.kept[1][1].title


async def test_a_restart_says_nothing_twice(ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    box, disk = Box("mail"), Disk(SHORT)
    await Operator(notifier(ledger, clock, box), disk, tmp_path, clock).look()
    again = Operator(notifier(ledger, clock, box), disk, tmp_path, clock)
    await again.look()
    assert len(box.kept) == 1
    disk.short = None
    await Operator(notifier(ledger, clock, box), disk, tmp_path, clock).look()
    assert len(box.kept) == 2


async def test_a_channel_that_fails_gets_it_later_and_the_others_not_again(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    good, bad = Box("good"), Box("bad", refuse=1)
    operator = Operator(notifier(ledger, clock, good, bad), Disk(SHORT), tmp_path, clock)
    await operator.look()
    await operator.look()
    assert (len(good.kept), len(bad.kept)) == (1, 0)
    clock.now += int(FIRST_RETRY_S * SECOND)
    await operator.look()
    assert (len(good.kept), len(bad.kept)) == (1, 1)
    assert good.kept[0][0] == bad.kept[0][0], "the same message has the same id"


@pytest.mark.parametrize("left", [b"", b"{", b'{"id": 1}'])
async def test_a_file_that_cannot_be_read_only_says_it_again(
    ledger: Ledger, clock: Clock, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "operator.json").write_bytes(left)
    box = Box("mail")
    await Operator(notifier(ledger, clock, box), Disk(SHORT), tmp_path, clock).look()
    assert len(box.kept) == 1
