"""A power cut: the file system is shut down without its journal, mounted again, and compared.

kill -9 cannot tell `synchronous=FULL` from NORMAL; this can, and the same test with NORMAL must
see the loss. Needs root and loop devices; where they are missing it is skipped, loudly.
"""

import fcntl
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge_agent.outbox import Outbox
from tests.children import Child, patiently
from tests.edge_agent.made import batch, wrong

MIB = 1024 * 1024
SHUTDOWN = 0x8004587D  #: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NOLOGFLUSH = 2


class Normal(Outbox):
    """What most guides advise."""

    SYNCHRONOUS = "NORMAL"


def command(*words: str) -> bool:
    program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/sbin")
    if program is None:
        return False
    return subprocess.run([program, *words[1:]], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["ext4", "xfs"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """An empty file system in a file, which can be mounted at `image`.mount."""
    kind = request.param
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(320 * MIB)
    if not command(f"mkfs.{kind}", "-q", str(path)):
        pytest.skip(f"power-cut: skipped, no mkfs.{kind}")
    (tmp_path / "mount").mkdir()
    if not command("mount", "-o", "loop", str(path), str(tmp_path / "mount")):
        pytest.skip("power-cut: skipped, no loop devices (needs root)")
    assert command("umount", str(tmp_path / "mount"))
    yield path
    command("umount", str(tmp_path / "mount"))


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    place = image.parent / "mount"
    assert command("mount", "-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        assert command("umount", str(place))


def write(kind: type[Outbox], path: Path, boot: str, out: int) -> None:
    outbox = kind(path, boot, max_bytes=8 * MIB)
    for n in range(10**6):
        outbox.append([("live", batch([float(n)]))])
        os.write(out, b"a")


def cut(image: Path, kind: type[Outbox], boot: str, wait_acks: int) -> int:
    """Write until the power goes; return how many appends were acknowledged before."""
    with (
        mounted(image) as place,
        closing(Child(write, kind, place / "outbox.db", boot)) as child,
    ):
        seen = 0
        while seen < wait_acks:
            seen += len(child.read(wait_acks - seen))
        if child.says():
            seen += len(child.read(65_536))
        root = os.open(place, os.O_RDONLY)
        fcntl.ioctl(root, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        os.close(root)
    return seen


def survivors(image: Path, boot: str) -> int:
    """Return how many batches are there after the power is back."""
    with mounted(image) as place:
        path = place / "outbox.db"
        outbox = Outbox(path, boot, max_bytes=8 * MIB)
        assert wrong(outbox) == []
        found = [s.seq for s in outbox.pending("live", limit=10**6)]
        assert found == list(range(len(found))), "a hole"
        outbox.close()
        for part in place.glob("outbox.db*"):
            part.unlink()
    return len(found)


def cuts(image: Path, kind: type[Outbox], counts: Iterable[int], seed: int) -> tuple[int, int]:
    """Return (cuts that lost something, appends that were acknowledged)."""
    chance = random.Random(seed)
    losses = total = 0
    for i in counts:
        boot = f"boot-{i:05}"
        acknowledged = cut(image, kind, boot, chance.randrange(1, 60))
        losses += survivors(image, boot) < acknowledged
        total += acknowledged
    return losses, total


def test_20_power_cuts_lose_nothing(image: Path) -> None:
    losses, total = cuts(image, Outbox, range(20), seed=1)
    assert losses == 0
    assert total > 100


def test_the_test_sees_what_normal_loses(image: Path) -> None:
    losses, _ = cuts(image, Normal, range(10), seed=1)
    assert losses > 0


@pytest.mark.long
def test_up_to_1000_power_cuts_lose_nothing(image: Path) -> None:
    losses, _ = cuts(image, Outbox, patiently(1000, least=100), seed=2)
    assert losses == 0
