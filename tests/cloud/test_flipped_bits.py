"""Every file the service keeps or hands over: damaged anywhere, it is noticed or reads as before.

`Format.passed_over` says which answers a damage may also have: what a format does instead of
failing, as taking the file before. That list and docs/reference/reliability.md tell the same.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard

from cloud import snapshot
from cloud.diagnostics.signing import Signer
from cloud.durable import read_checked, write_checked
from cloud.errors import CloudError, StoreCorrupt
from cloud.journal import Entry, Kind, SegmentJournal
from cloud.keep import manifest
from cloud.ledger.database import Database
from cloud.ledger.dump import dump, rows_in
from cloud.records import HEAD_BYTES
from cloud.retention import Look
from cloud.sequence import Key
from cloud.shelf import SqliteShelf
from cloud.snapshot import Snapshot
from cloud.telemetry.influx.copying import LINE_BYTES, bodies
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.shipment import Shipment
from tests.damage import damages, swapped

FLIPS = 100
S0 = 1_790_000_000 * 10**9


class Format:
    """A format: `make` writes it into a folder and names its file, `read` gives what it says."""

    #: what may come of a damage besides an error that names the file
    passed_over: tuple[object, ...] = ()

    def make(self, folder: Path) -> Path:
        raise NotImplementedError

    def read(self, path: Path) -> object:
        raise NotImplementedError


class Journal(Format):
    """A segment that others follow."""

    which = 0

    def make(self, folder: Path) -> Path:
        with closing(SegmentJournal(folder, segment_bytes=1_500)) as journal:
            for n in range(12):
                one = Entry(Kind.MESSAGE, n, "fw/1/a.b/up/t/live", bytes([n]) * 100)
                journal.append([one, one])
        return sorted(folder.glob("*.journal"))[self.which]

    def read(self, path: Path) -> object:
        with closing(SegmentJournal(path.parent, segment_bytes=1_500)) as journal:
            found = list(journal.since(-1))
        torn = path.with_suffix(".torn")
        if torn.exists():
            torn.unlink()
            return "torn"
        return found


class NewestSegment(Journal):
    """The last group of all is not told from one that the service was writing when it was killed.

    It is kept beside; a segment without any byte says nothing.
    """

    which = -1
    passed_over = ("torn",)


class Snapshots(Format):
    passed_over = (None,)  #: the one before is taken

    def make(self, folder: Path) -> Path:
        lanes = np.zeros(40, np.dtype([("level", "<f8"), ("count", "<i4")]))
        arrays = {"lanes": lanes, "names": np.array(["pump", "fan"] * 9), "terms": np.ones((4, 6))}
        return snapshot.save(folder, Snapshot(7, arrays, {"known": {"a": [1, 2, 3]}}))

    def read(self, path: Path) -> object:
        found = snapshot.load(path.parent, 100)
        if found is None:
            return None
        arrays = {k: (str(a.dtype), a.shape, a.tobytes()) for k, a in found.arrays.items()}
        return found.n, arrays, found.values


class BackupManifest(Format):
    def make(self, folder: Path) -> Path:
        positions = manifest.Positions(
            telemetry=1, ledger=2, snapshot=3, journal_first=0, journal_end=9
        )
        file = manifest.Entry(path="data/x", size=3, sha256="ab" * 32)
        began = "2026-11-30T00:00:00Z"
        found = manifest.Manifest(
            format=manifest.FORMAT,
            forewarn="1.0",
            began_at=began,
            finished_at=began,
            positions=positions,
            rows={"machine": 2},
            machines={"acme": 2},
            files=(file,),
        )
        manifest.write(folder, found)
        return folder / manifest.NAME

    def read(self, path: Path) -> object:
        return manifest.read(path.parent)


class BackupFile(BackupManifest):
    def make(self, folder: Path) -> Path:
        super().make(folder)
        (folder / "data").mkdir()
        (folder / "data" / "x").write_bytes(bytes(range(256)) * 40)
        return folder / "data" / "x"

    def read(self, path: Path) -> object:
        if not hasattr(self, "_entry"):
            self._entry = manifest.enter(path, path.parent.parent)
        found = manifest.read(path.parent.parent)
        found = msgspec.structs.replace(found, files=(self._entry,))
        manifest.verify(path.parent.parent, found)
        return None


class Shipments(Format):
    before = Shipment(3, [("raw", b"before 1\n")])
    passed_over = (before,)  #: what is not whole was never sent

    def make(self, folder: Path) -> Path:
        log = ShipmentLog(folder)
        log.note(self.before)
        log.note(Shipment(4, [("raw", b"after 2\n" * 1_200), ("ever", b"after 3\n")]))
        return max(folder.glob("shipment-*"), key=lambda path: path.stat().st_size)

    def read(self, path: Path) -> object:
        return ShipmentLog(path.parent).last


class LedgerDump(Format):
    def make(self, folder: Path) -> Path:
        database = Database(f"sqlite:///{folder / 'ledger.db'}")
        with closing(database), (folder / "ledger.dump").open("wb") as file:
            dump(database, file)
        return folder / "ledger.dump"

    def read(self, path: Path) -> object:
        try:
            with path.open("rb") as file:
                return list(rows_in(file))
        except StoreCorrupt as error:  # who opened it knows its name
            raise StoreCorrupt(f"{path}: {error}") from error


class InfluxLines(Format):
    """zstandard does not tell of a cut between two of its blocks; a backup's manifest does."""

    lines = b"".join(b"s,m=a x=%d %d\n" % (n, n) for n in range(999))
    passed_over = ("cut",)

    def make(self, folder: Path) -> Path:
        path = folder / "raw.lines.zst"
        path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(self.lines))
        return path

    def read(self, path: Path) -> object:
        found = b"".join(bodies(path))
        cut = len(found) < len(self.lines) and self.lines.startswith(found)
        return "cut" if cut else found


class Shelf(Format):
    passed_over = tuple(range(40))
    keys = tuple(Key(f"acme.pump{n}", "0190aaaa-boot", "live") for n in range(40))

    def make(self, folder: Path) -> Path:
        path = folder / "numbers.db"
        with closing(SqliteShelf(path)) as shelf:
            shelf.put([(key, 1_000 + n) for n, key in enumerate(self.keys)])
        return path

    def read(self, path: Path) -> object:
        """Return how many lines are there: a damaged one is a stream never heard of."""
        with closing(SqliteShelf(path)) as shelf:
            found = [shelf.get(key) for key in self.keys]
        right = all(number in {None, 1_000 + n} for n, number in enumerate(found))
        return len(found) - found.count(None) if right else found


class RetentionLook(Format):
    passed_over = ("first look",)

    def make(self, folder: Path) -> Path:
        write_checked(folder / "retention.json", msgspec.json.encode(Look(S0, S0 + 1)))
        return folder / "retention.json"

    def read(self, path: Path) -> object:
        try:
            return msgspec.json.decode(read_checked(path), type=Look)
        except (ValueError, msgspec.DecodeError):
            return "first look"


class CommandKey(Format):
    def make(self, folder: Path) -> Path:
        Signer(folder)
        return folder / "command.key"

    def read(self, path: Path) -> object:
        return Signer(path.parent).key_id


FORMATS = [
    Journal,
    NewestSegment,
    Snapshots,
    BackupManifest,
    BackupFile,
    Shipments,
    LedgerDump,
    InfluxLines,
    Shelf,
    RetentionLook,
    CommandKey,
]


def test_records_in_each_others_place_are_noticed(tmp_path: Path) -> None:
    path = Journal().make(tmp_path)
    content = path.read_bytes()
    size = content.index(bytes([1]) * 100) - content.index(bytes(100))
    size //= 2  # two records of each
    path.write_bytes(swapped(content, HEAD_BYTES, HEAD_BYTES + 2 * size, size))
    with pytest.raises(StoreCorrupt, match=path.name):
        Journal().read(path)


def test_a_line_without_an_end_takes_no_more_than_so_much(tmp_path: Path) -> None:
    path = tmp_path / "raw.lines.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(b"a b=1 1\n" + bytes(4 * LINE_BYTES)))
    found = bodies(path)
    assert next(found) == b"a b=1 1\n"
    with pytest.raises(StoreCorrupt, match="a line of 17") as told:
        next(found)
    assert path.name in str(told.value)


def damaged(format_: Format, path: Path) -> Iterator[tuple[str, object]]:
    """Yield what each damage was and what came of it: what was read, or the file's name."""
    content = path.read_bytes()
    for what, spoiled in damages(content, FLIPS):
        if spoiled == content:
            continue
        path.write_bytes(spoiled)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        try:
            yield what, format_.read(path)
        except CloudError as error:
            yield what, CloudError if str(path.parent) in str(error) else error
    path.write_bytes(content)


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_noticed_or_changes_nothing(kind: type[Format], tmp_path: Path) -> None:
    format_ = kind()
    path = format_.make(tmp_path)
    good = format_.read(path)
    fine = (good, CloudError, *format_.passed_over)
    results = list(damaged(format_, path))
    assert [(what, came) for what, came in results if came not in fine] == []
    assert sum(came != good for _, came in results) > 3
    assert format_.read(path) == good
