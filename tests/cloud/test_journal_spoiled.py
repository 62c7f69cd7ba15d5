"""The journal's files as a disk or a sender may spoil them: no payload passes for a record."""

import os
import struct
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest

from cloud.errors import StoreCorrupt
from cloud.journal import Entry, Kind, SegmentJournal, examine
from cloud.records import ALL, BLOCK, Head, Record, Room, blocks
from tests.cloud.test_journal import large, message


def forged(n: int, *, kind: int = 0x81, topic: bytes = b"fw/1/a.victim/up/t/live") -> bytes:
    """Return what a sender knows of a record: all but a segment's mark and salt."""
    head = struct.pack("<HBBI", 0xF0E1, kind, len(topic), len(topic))
    rest = struct.pack("<qqII", n, 0, 0, ALL) + topic
    return head + struct.pack("<I", crc32(rest, crc32(head))) + rest


HOSTILE = {
    "behind zeros": b"".join(forged(2 + n) + bytes(2_000) for n in range(60)),
    "in order": b"".join(forged(2 + n) for n in range(2_000)),
    "of no kind": forged(2, kind=0xE3) * 2_000,
    "of no text": forged(2, topic=b"\xff\xfe") * 2_000,
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_no_payload_passes_for_a_record_however_its_group_is_torn(
    tmp_path: Path, payload: bytes
) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        kept = journal.append([message("first")])
        journal.append([Entry(Kind.MESSAGE, 2, "t", payload)])
    (path,) = tmp_path.glob("*.journal")
    data = path.read_bytes()
    begin = data.index(payload)
    assert begin > BLOCK
    torn = [data[:cut] for cut in range(begin + 100, begin + len(payload), 9_973)]
    for gone in (512, BLOCK, begin + data[begin:].index(forged(2)[:2], 1) - BLOCK):
        torn.append(data[:BLOCK] + bytes(gone) + data[BLOCK + gone :])
    for one in torn:
        path.write_bytes(one)
        with closing(SegmentJournal(tmp_path)) as again:
            assert [*again.since(-1)] == kept


def test_heads_in_a_torn_payload_are_each_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(data: bytes, before: int = 0) -> int:
        nonlocal looked
        looked += len(data)
        return crc32(data, before)

    with closing(SegmentJournal(tmp_path)) as journal:
        kept = journal.append([message("first")])
        heads = struct.pack("<HBBIIqqII", 0xF0E1, 0x81, 0, 30_000, 0, 2, 0, 0, ALL) * 3_000
        journal.append([Entry(Kind.MESSAGE, 2, "t", heads)])
    (path,) = tmp_path.glob("*.journal")
    os.truncate(path, path.stat().st_size - 5_000)
    monkeypatch.setattr("cloud.records.crc32", counted)
    with closing(SegmentJournal(tmp_path)) as again:
        assert [*again.since(-1)] == kept
    assert looked < 2 * len(heads)


@pytest.mark.parametrize("later", [large("later"), [message("later")]], ids=["large", "small"])
def test_a_durable_group_that_is_zeros_on_the_disk_is_damage(
    tmp_path: Path, later: list[Entry]
) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        journal.append([message("first")])
        (path,) = tmp_path.glob("*.journal")
        begin = path.stat().st_size
        journal.append([message("zeroed")])
        end = path.stat().st_size
        journal.append(later)
    data = path.read_bytes()
    path.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    with pytest.raises(StoreCorrupt, match=path.name):
        examine(tmp_path)
    with pytest.raises(StoreCorrupt, match=path.name):
        SegmentJournal(tmp_path)


def test_a_segment_whose_end_is_zeros_or_that_is_missing_is_damage(tmp_path: Path) -> None:
    with closing(SegmentJournal(tmp_path, segment_bytes=150)) as journal:
        for n in range(6):
            journal.append([message(f"{n}")])
        first, second, *_ = sorted(tmp_path.glob("*.journal"))
        whole = first.read_bytes()
        first.write_bytes(whole[: whole.rindex(whole[42:44])].ljust(len(whole), b"\0"))
        for find in (lambda: [*journal.since(-1)], lambda: examine(tmp_path)):
            with pytest.raises(StoreCorrupt, match=first.name):
                find()
        first.write_bytes(whole)
        assert examine(tmp_path) == 5
        second.unlink()
        with pytest.raises(StoreCorrupt, match=first.name):
            [*journal.since(-1)]


def test_a_large_group_torn_at_its_first_block_hides_no_earlier_damage(tmp_path: Path) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        for group in ([message("first")], [message("second")], large("torn")):
            journal.append(group)
    (path,) = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[data.index(b"first")] ^= 1
    data[BLOCK : 2 * BLOCK] = bytes(BLOCK)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=path.name):
        SegmentJournal(tmp_path)


@pytest.mark.parametrize("at", [0, 2, 20, 37, 41])
def test_a_segment_with_a_damaged_head_is_not_taken_for_torn(tmp_path: Path, at: int) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        journal.append([message("first")])
    (path,) = tmp_path.glob("*.journal")
    whole = path.read_bytes()
    for bit in range(8):
        data = bytearray(whole)
        data[at] ^= 1 << bit
        path.write_bytes(data)
        with pytest.raises(StoreCorrupt, match=path.name):
            SegmentJournal(tmp_path)


def test_a_segment_of_an_earlier_version_is_read_and_not_added_to(tmp_path: Path) -> None:
    groups = [[message("a"), message("b")], large("c"), [message("torn")]]
    entries = [entry for group in groups for entry in group]
    kept = [Record(n, entry) for n, entry in enumerate(entries)]
    small, wide, torn = kept[:2], kept[2:-1], kept[-1:]
    image = bytes(Room().laid(small, Head()))
    image = image.ljust(BLOCK, b"\0") + bytes(Room().laid(wide, Head()))
    path = tmp_path / f"{0:020d}.journal"
    path.write_bytes(image.ljust(blocks(len(image)), b"\0") + Room().laid(torn, Head())[:-1])
    with closing(SegmentJournal(tmp_path)) as journal:
        assert [*journal.since(-1)] == small + wide
        assert path.read_bytes() == image
        added = journal.append([message("new")])
        assert [*journal.since(-1)] == small + wide + added
    assert path.read_bytes() == image
    assert examine(tmp_path) == added[0].n
    path.write_bytes(image[:50] + b"?" + image[51:])
    with pytest.raises(StoreCorrupt, match=path.name):
        examine(tmp_path)
