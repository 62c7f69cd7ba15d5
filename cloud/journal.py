"""The journal: everything the service accepted, in one order, durable before anybody is told.

All state behind it (telemetry, models, tickets) can be computed again from it, bit for bit. The
embedded default keeps segment files; at scale the same protocol is a Kafka log.
"""

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cloud.durable import sync, write_whole
from cloud.errors import StoreBusy, StoreCorrupt, StoreFull
from cloud.records import (
    ALL,
    HEAD_BYTES,
    Entry,
    Head,
    Kind,
    Record,
    Room,
    begin,
    blocks,
    group_within,
    head_of,
    read,
)

__all__ = ["ALL", "Entry", "Journal", "Kind", "Record", "SegmentJournal", "blank", "examine"]

LARGE: Final = 64 << 10  #: bytes of a group from which on it does not go through the system's cache
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
log = logging.getLogger(__name__)


class Journal(Protocol):
    """One durable order of entries. Positions grow by one from 0."""

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Make the entries durable and return them with their positions. `StoreFull`."""
        ...

    def since(self, n: int) -> Iterator[Record]:
        """Yield the records after position `n` in order."""
        ...

    def end(self) -> int:
        """Return the newest position (-1: empty)."""
        ...

    def forget(self, n: int) -> None:
        """Records up to `n` are no longer needed; whole segments of them may go."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class SegmentJournal:
    """Segment files in one folder, one `fdatasync` a group. One process at a time.

    A large group begins where a block of the file does, and the disk fetches its blocks from where
    they lie in memory (`O_DIRECT`), if the file system lets us: nobody reads them before a restart.
    A torn tail (the machine died while writing, nobody was told) is cut off at opening and kept
    beside the segment as `*.torn`. A damaged record before a later group is `StoreCorrupt`, and so
    is a segment that does not follow on the one before. One of an earlier version is not added to.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = 64 << 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = max(segment_bytes, HEAD_BYTES + 1)  # none without a record is left
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreBusy(f"{folder} is in use by another process; stop it first") from error
        self._end = -1
        self._fd = -1
        self._head = Head()  #: of the newest segment
        self._size = 0  #: of what is durable
        self._room = Room()
        self._flags = _DIRECT  #: of large groups; none where the file system refuses that
        self._failed: str | None = None
        try:
            self._open_last()
        except BaseException:
            self.close()
            raise

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """See `Journal.append`."""
        if self._failed:
            raise StoreCorrupt(self._failed)
        if not entries:
            return []
        records = [Record(n, e) for n, e in enumerate(entries, self._end + 1)]
        if self._fd < 0 or self._size >= self._segment_bytes:
            self._roll(records[0].n)
        self._size = self._write(records)
        self._end = records[-1].n
        return records

    def since(self, n: int) -> Iterator[Record]:
        """See `Journal.since`."""
        segments = self._segments()
        later = [index for index, path in enumerate(segments) if _first(path) <= n + 1]
        for record in _records(segments[later[-1] if later else 0 :]):
            if record.n > n:
                yield record

    def among(self, wanted: set[int]) -> dict[int, Record]:
        """Return the records at these positions; who are no longer here are logged."""
        found: dict[int, Record] = {}
        last = max(wanted, default=-1)
        for record in self.since(min(wanted) - 1) if wanted else ():
            if record.n in wanted:
                found[record.n] = record
            if record.n >= last:
                break
        if lost := len(wanted) - len(found):
            log.error("%d batches that waited for a birth are no longer in the journal", lost)
        return found

    def end(self) -> int:
        """See `Journal.end`."""
        return self._end

    def first(self) -> int:
        """Return the oldest position still kept."""
        segments = self._segments()
        return _first(segments[0]) if segments else self._end + 1

    def advance(self, n: int) -> None:
        """Go on after position `n`: positions that the stores know are never given out again."""
        if n > self._end:
            self._roll(n + 1)
            self._end = n

    def forget(self, n: int) -> None:
        """See `Journal.forget`."""
        segments = self._segments()
        for path, following in pairwise(segments):
            if _first(following) > n + 1:
                break
            path.unlink()

    def close(self) -> None:
        """See `Journal.close`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.journal"))

    def _open_last(self) -> None:
        segments = self._segments()
        if not segments:
            return
        path, headed = segments[-1], False
        for before in segments[-2:-1]:
            with before.open("rb") as file:
                headed = _head(file, before).size > 0
        with path.open("rb") as file:
            self._head = _head(file, path, headed=headed)
            self._end, good, behind = _whole(file, path, self._head)
        if behind.strip(b"\0"):  # zeros fill a block
            torn = path.with_suffix(".torn")
            torn.write_bytes(behind)
            log.warning("%s ends in %d torn bytes, kept as %s", path, len(behind), torn.name)
        if behind:
            os.truncate(path, good)
            sync(path)
        if self._head.size:
            self._fd, self._size = os.open(path, os.O_WRONLY), good

    def _roll(self, n: int) -> None:
        path = self._folder / f"{n:020d}.journal"
        content, head = begin(self._end, os.urandom(6))
        try:
            write_whole(path, content)
            fd = os.open(path, os.O_WRONLY)
        except OSError as error:
            raise StoreFull(f"cannot start {path}: {error.strerror}; free some space") from error
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._head = fd, len(content), head

    def _write(self, records: Sequence[Record]) -> int:
        """Write a group and sync; return where the file ends then."""
        image = self._room.laid(records, self._head)
        try:
            end = self._put(image, self._size)
        except OSError as error:
            os.ftruncate(self._fd, self._size)
            raise StoreFull(
                f"cannot write {len(image)} bytes to {self._folder}: {error.strerror}; "
                "free some space, the service resumes by itself"
            ) from error
        try:
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as error:
            # After a failed sync the kernel may drop the pages: what follows would be a guess.
            self._failed = f"{self._folder}: sync failed ({error.strerror}); restart the service"
            raise StoreCorrupt(self._failed) from error
        return end

    def _put(self, image: memoryview, at: int) -> int:
        """Write a group from `at` on, or from the next block; return where it ends."""
        if self._flags and len(image) >= LARGE:
            try:
                fcntl.fcntl(self._fd, fcntl.F_SETFL, self._flags)
                return _put(self._fd, self._room.blocks(len(image)), blocks(at))
            except OSError as error:
                if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                    raise
                self._flags = 0
                os.ftruncate(self._fd, at)
            finally:
                fcntl.fcntl(self._fd, fcntl.F_SETFL, 0)
        return _put(self._fd, image, at)


def _put(fd: int, image: memoryview, at: int) -> int:
    """Write bytes from a place of a file on; return where they end."""
    while len(image):  # more than once where the disk is nearly full: the rest says so
        done = os.pwrite(fd, image, at)
        if not done:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        image, at = image[done:], at + done
    return at


def examine(folder: Path) -> int:
    """Read every record without changing anything; return the newest position (-1: none).

    A service may append meanwhile. `StoreCorrupt` names a damaged segment.
    """
    end = -1
    segments = sorted(folder.glob("*.journal"))
    for record in _records(segments):
        end = record.n
    for path in segments[-1:]:
        with path.open("rb") as file:
            end, _, _ = _whole(file, path, _head(file, path))
    return end


def _records(segments: Sequence[Path]) -> Iterator[Record]:
    """Yield all records of segments in order, up to where the last one is torn. `StoreCorrupt`."""
    end, before, head = None, None, Head()
    for path in segments:
        with path.open("rb") as file:
            head = _head(file, path, headed=head.size > 0)
            if before and head.after not in {None, end}:
                raise StoreCorrupt(_damaged(before))
            end, before = _first(path) - 1, path
            for _, record in read(file, head, end + 1):
                if record is None:
                    if path != segments[-1]:
                        raise StoreCorrupt(_damaged(path))
                    break
                end = record.n
                yield record


def _head(file: BinaryIO, path: Path, *, headed: bool = False) -> Head:
    """Read a segment's head. Behind one that is `headed` none is of an earlier version."""
    head = head_of(file)
    if head is None or (headed and not head.size):
        raise StoreCorrupt(_damaged(path))
    return head


def _whole(file: BinaryIO, path: Path, head: Head) -> tuple[int, int, bytes]:
    """Return the last position of the newest segment, where it ends, and what is torn behind."""
    end, good = _first(path) - 1, head.size
    for offset, record in read(file, head, end + 1):
        if record is None:
            break
        good, end = offset, record.n
    file.seek(good)
    behind = file.read()
    if group_within(behind, head, end):
        raise StoreCorrupt(_damaged(path))
    return end, good, behind


def blank(folder: Path, gone: Callable[[Entry], bool]) -> int:
    """Put a tick of the same time in the place of each entry that must be gone; return how many.

    Positions stay as they are. Each segment is replaced whole. Nobody may append meanwhile: hold
    the journal open, and close it afterwards without appending.
    """
    count = 0
    for path in sorted(folder.glob("*.journal")):
        with path.open("rb") as file:
            head = _head(file, path)
            records = []
            for _, record in read(file, head, _first(path)):
                if record is None:
                    raise StoreCorrupt(_damaged(path))
                records.append(record)
            file.seek(0)
            begun = file.read(head.size)
        found = [record.n for record in records if gone(record.entry)]
        if not found:
            continue
        count += len(found)
        out = set(found)
        part = path.with_suffix(".part")
        room = Room()
        with part.open("wb") as file:
            file.write(begun)
            for one in records:
                tick = Entry(Kind.TICK, one.entry.at_ns)
                group = [Record(one.n, tick) if one.n in out else one]
                file.write(room.laid(group, head))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    for path in folder.glob("*.torn"):
        path.unlink()
    sync(folder)
    return count


def _first(path: Path) -> int:
    return int(path.stem)


def _damaged(path: Path) -> str:
    return (
        f"{path}: a record is damaged. Restore the file from a backup, or move it and all later "
        "segments away to start from the last snapshot; devices send again what has no receipt."
    )
