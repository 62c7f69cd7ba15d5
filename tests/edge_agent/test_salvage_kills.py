"""Kills while a damaged outbox is renewed."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import time
from pathlib import Path

from edge_agent.outbox import Outbox
from edge_agent.outbox_file import BEGINNING, connect_read_only
from edge_agent.spool import Spool
from tests.children import Child
from tests.edge_agent.made import batch
from tests.edge_agent.test_salvage import BATCHES, MIB, filled, leaves, numbers, spoil


def opening(path: Path, out: int) -> None:
    os.write(out, b"b")
    Outbox(path, "boot-two", max_bytes=4 * MIB).close()
    os.write(out, b"e")
    signal.pause()


def test_a_kill_while_it_is_renewed_leaves_the_old_file_or_all_of_the_new(tmp_path: Path) -> None:
    spoilt, chance = tmp_path / "spoilt.db", random.Random(3)
    filled(spoilt, "boot-one").close()
    pages = leaves(spoilt)
    spoil(spoilt, pages[3])
    took_s, ended = 0.0, 0
    for n in range(20):
        path = tmp_path / f"{n}" / "o.db"
        path.parent.mkdir()
        shutil.copy(spoilt, path)
        with contextlib.closing(Child(opening, path)) as child:
            assert child.read(1) == b"b"
            began = time.monotonic()
            if n == 0:
                assert child.read(1) == b"e"
                took_s = time.monotonic() - began
            else:
                time.sleep(chance.random() * took_s)  # a kill at any moment of it
            child.kill()
            ended += child.rest() == b"e"
        outbox = Outbox(path, "boot-three", max_bytes=4 * MIB)
        there, lost = numbers(outbox, "boot-one")
        assert sorted(there + lost) == list(range(20, 2 * BATCHES + 1))
        assert len(lost) <= 2 * BATCHES * 2 // len(pages)
        assert not path.with_name("o.db.new").exists()
        outbox.close()
        shutil.rmtree(path.parent)
    assert ended < 19


def renewing(path: Path, renames: int, out: int) -> None:
    """Renew an outbox that somebody reads, and end by a kill before a rename."""
    outbox = filled(path, "boot-one")
    spoil(path, leaves(path)[1])
    with contextlib.closing(connect_read_only(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM boots").fetchall()
        placed = outbox.append([("live", batch([7.0])) for _ in range(50)])
        os.write(out, b"%d" % placed[-1].seq)
        left = iter(range(renames))
        rename = Path.rename

        def killed(self: Path, target: Path) -> Path:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(self, target)

        Path.rename = killed  # type: ignore[method-assign,assignment]
        Spool(outbox)._do(outbox.pending, "live", BEGINNING, 10**6)
        os.write(out, b"e")


def test_a_kill_at_any_rename_leaves_the_log_to_its_file(tmp_path: Path) -> None:
    for renames in itertools.count():
        path = tmp_path / f"{renames}" / "o.db"
        path.parent.mkdir()
        with contextlib.closing(Child(renewing, path, renames)) as child:
            said = child.rest()
        outbox = Outbox(path, "boot-two", max_bytes=4 * MIB)
        Spool(outbox)._do(outbox.pending, "live", BEGINNING, 10**6)
        there, lost = numbers(outbox, "boot-one")
        assert sorted(there + lost) == list(range(20, int(said.rstrip(b"e")) + 1))
        assert len(lost) < BATCHES // 2
        assert not path.with_name("o.db.renewed").exists()
        outbox.close()
        if said.endswith(b"e"):
            break
    assert renames == 5  # the new file gets its name, three are set aside, it takes their place
