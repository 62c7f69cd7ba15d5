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
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from edge_agent.outbox import Outbox
from tests import mounts
from tests.children import Child, patiently
from tests.edge_agent.made import batch, wrong

MIB = 1024 * 1024
SHUTDOWN = 0x8004587D  #: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NOLOGFLUSH = 2
PATIENCE_S = 60.0  #: for whoever else has the file system mounted


class Normal(Outbox):
    """What most guides advise."""

    SYNCHRONOUS = "NORMAL"


def command(*words: str) -> bool:
    program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/sbin")
    if program is None:
        return False
    return subprocess.run([program, *words[1:]], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["ext4", "xfs"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty file system in a file, which can be mounted at `image`.mount."""
    kind = request.param
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(320 * MIB)
    if not command(f"mkfs.{kind}", "-q", str(path)):
        pytest.skip(f"power-cut: skipped, no mkfs.{kind}")
    (tmp_path / "mount").mkdir()
    try:
        with mounted(path):
            pass
    except OSError as error:
        pytest.skip(f"power-cut: skipped, no loop devices (needs root): {error}")
    return path


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    try:
        with mounts.mounted(image.parent / "mount", "-o", "loop", str(image)) as place:
            yield place
    finally:
        let_go(image)


def let_go(image: Path) -> None:
    """Wait until nobody has the file system: what is mounted before is the dead one again.

    Each `ip netns exec` and `unshare -m` on this computer has a copy of all mounts until it ends.
    """
    until = time.monotonic() + PATIENCE_S
    while is_held(image):
        assert time.monotonic() < until, "the file system is still mounted by another namespace"
        time.sleep(0.01)  # the system tells nobody


def is_held(image: Path) -> bool:
    held = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # it has gone meanwhile
            held.append(file.read_text().strip())
    return str(image) in held


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
        power_off(place)
    return seen


def power_off(place: Path) -> None:
    root = os.open(place, os.O_RDONLY)
    fcntl.ioctl(root, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    os.close(root)


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


#: ends two seconds after the file system is no longer mounted where it was
COPY = "echo; while grep -q $0 /proc/$PPID/mounts; do :; done; exec sleep 2"


def test_a_cut_waits_for_who_else_has_the_file_system(image: Path) -> None:
    with mounted(image) as place:
        words = ["unshare", "-m", "--propagation", "private", "sh", "-c", COPY, str(place)]
        other = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert other.stdout is not None
        assert other.stdout.read(1) == b"\n", "no namespace of mounts"
        outbox = Outbox(place / "outbox.db", "boot-0", max_bytes=8 * MIB)
        outbox.append([("live", batch([1.0]))])
        power_off(place)
        outbox._db.close()
    assert survivors(image, "boot-0") == 1
    other.communicate()


@pytest.mark.long
def test_up_to_1000_power_cuts_lose_nothing(image: Path) -> None:
    losses, _ = cuts(image, Outbox, patiently(1000, least=100), seed=2)
    assert losses == 0
