"""kill -9 at random moments. No interpreter starts, so that thousands are cheap.

The child appends and reports each acknowledgement on a pipe; the parent kills it, opens the file
as the next start would, and looks for every acknowledged sample.
"""

import os
import random
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.outbox import Outbox
from models.contract import codec, topics
from models.contract.messages import Batch
from tests.children import Child, patiently
from tests.edge_agent.made import batch, wrong

MIB = 1024 * 1024
TOPIC = topics.parse("pm/1/a.b/up/t/live")


def appending(path: Path, boot: str, out: int) -> None:
    """Append groups of one to three batches for ever; one byte on the pipe for each group."""
    outbox = Outbox(path, boot, max_bytes=4 * MIB)
    os.write(out, b"o")
    for n in range(10**6):
        base = 10 * n
        group = [("live", batch([float(base + i), 0.5])) for i in range(1 + n % 3)]
        outbox.append(group)
        os.write(out, b"a")


def one_kill(path: Path, boot: str, chance: random.Random) -> int:
    """Run a child, kill it, return how many groups it reported as durable."""
    with closing(Child(appending, path, boot)) as child:
        assert child.read(1) == b"o"
        wanted = chance.randrange(12)  # after so many acknowledgements, and a little more
        seen = 0
        while seen < wanted:
            seen += len(child.read(wanted - seen))
        for _ in range(chance.randrange(2000)):
            pass
        child.kill()
        return seen + len(child.rest())


def check(path: Path, boot: str, groups: int) -> None:
    """Every acknowledged batch is there and whole, numbers have no hole, the file is sound."""
    outbox = Outbox(path, boot, max_bytes=4 * MIB)
    assert wrong(outbox) == []
    stored = outbox.pending("live", limit=10**6)
    numbers = [s.seq for s in stored]
    assert numbers == list(range(0, 2 * len(stored), 2)), "a hole or a repeat"
    expected = [float(10 * n + i) for n in range(len(stored) + 1) for i in range(1 + n % 3)]
    acknowledged = sum(1 + n % 3 for n in range(groups))
    assert len(stored) >= acknowledged, "lost"
    # A group is one transaction: what is there beyond the acknowledged is a whole group.
    whole = {sum(1 + n % 3 for n in range(g)) for g in (groups, groups + 1)}
    assert len(stored) in whole, "torn"
    for s, value in zip(stored, expected, strict=False):
        found = codec.decode(TOPIC, s.payload)
        assert isinstance(found, Batch)
        assert (found.seq, found.boot) == (s.seq, boot)
        assert memoryview(found.columns["temp"].data).cast("d").tolist() == [value, 0.5]
    outbox.forget(boot, "live", 10**9)
    assert outbox.pending("live") == []
    outbox.close()


def kills(folder: Path, counts: Iterable[int], seed: int) -> tuple[int, int]:
    """Return (acknowledged groups, kills before the first acknowledgement)."""
    chance = random.Random(seed)
    total = early = 0
    path = folder / "outbox.db"
    for i in counts:
        boot = f"boot-{i:05}"
        groups = one_kill(path, boot, chance)
        check(path, boot, groups)
        total += groups
        early += groups == 0
    return total, early


def test_200_kills_lose_nothing(tmp_path: Path) -> None:
    total, early = kills(tmp_path, range(200), seed=1)
    assert total > 400
    assert early > 0


@pytest.mark.long
def test_up_to_10000_kills_lose_nothing(tmp_path: Path) -> None:
    total, early = kills(tmp_path, patiently(10_000, least=1000), seed=2)
    assert total > 2000
    assert early > 0
