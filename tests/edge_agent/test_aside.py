"""Damaged files that were set aside: how many stay."""

import os
from pathlib import Path

import pytest

from edge_agent.aside import KEPT, bound, found
from edge_agent.outbox import Outbox

MIB = 1024 * 1024


def set_aside(path: Path, count: int, size: int = 10) -> list[str]:
    """Files set aside by so many starts, each with a log; return their names, oldest first."""
    names = []
    for n in range(count):
        kept = path.with_name(f"{path.name}.unreadable-{count - n:08}")
        for one in (kept, kept.with_name(kept.name + "-wal")):
            one.write_bytes(bytes(size // 2))
            os.utime(one, (n + 1, n + 1))
        names.append(kept.name)
    return names


def test_the_oldest_leave_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "o.db"
    names = set_aside(path, KEPT + 2)
    path.touch()
    assert bound(path, MIB) == 2
    assert [one.path.name for one in found(path)] == names[2:]
    assert len(list(tmp_path.iterdir())) == 2 * KEPT + 1
    assert [name in caplog.text for name in names] == [True] * 2 + [False] * KEPT
    assert bound(path, MIB) == 0


def test_their_bytes_are_bounded_and_the_newest_stays(tmp_path: Path) -> None:
    names = set_aside(tmp_path / "o.db", 4, size=1000)
    assert bound(tmp_path / "o.db", 2000) == 2
    assert bound(tmp_path / "o.db", 10) == 1
    assert [one.path.name for one in found(tmp_path / "o.db")] == names[-1:]


def test_one_that_cannot_be_deleted_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "o.db"
    set_aside(path, KEPT)
    (tmp_path / "o.db.unreadable-old").mkdir()
    os.utime(tmp_path / "o.db.unreadable-old", (0, 0))
    assert bound(path, MIB) == 0
    assert "cannot be deleted" in caplog.text


@pytest.mark.parametrize("name", ["o.db", "o.db.lost"])
def test_an_outbox_that_is_renewed_at_each_start_keeps_few(tmp_path: Path, name: str) -> None:
    deleted = 0
    for n in range(KEPT + 3):
        (tmp_path / name).write_bytes(b"no outbox" * 1000)
        outbox = Outbox(tmp_path / "o.db", f"boot{n:04}", max_bytes=4 * MIB)
        outbox.close()
        deleted += outbox.aside_deleted
    left = [one.path.name for one in found(tmp_path / name)]
    assert left == [f"{name}.unreadable-boot{n:04}" for n in range(3, KEPT + 3)]
    assert deleted == 3
