import errno
import fcntl
import os
import struct
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import StoreBusy, StoreCorrupt, StoreFull
from cloud.journal import Entry, Kind, SegmentJournal, examine
from cloud.records import ALL, BLOCK, HEAD_BYTES, blocks
from tests.children import Child

entries = st.lists(
    st.builds(
        Entry,
        kind=st.sampled_from(Kind),
        at_ns=st.integers(-(2**63), 2**63 - 1),
        topic=st.text(max_size=40),
        payload=st.binary(max_size=300),
        skip=st.integers(0, 2**32 - 1),
        take=st.integers(0, 2**32 - 1),
    ),
    max_size=20,
)


def message(text: str) -> Entry:
    return Entry(Kind.MESSAGE, 1, "pm/1/acme.pump1/up/t/live", text.encode())


@given(groups=st.lists(entries, max_size=6))
def test_what_was_appended_is_read_back_in_order_also_after_reopening(
    groups: list[list[Entry]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = SegmentJournal(folder, segment_bytes=500)
    appended = [record for group in groups for record in journal.append(group)]
    assert list(journal.since(-1)) == appended
    journal.close()
    again = SegmentJournal(folder, segment_bytes=500)
    assert list(again.since(-1)) == appended
    assert again.end() == len(appended) - 1
    middle = len(appended) // 2
    assert list(again.since(middle)) == appended[middle + 1 :]
    again.close()


@pytest.mark.parametrize("cut", [1, 10, 29, 45, 60])
def test_a_torn_tail_is_cut_off_and_kept_beside(tmp_path: Path, cut: int) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append([message("first")])
    size = next(tmp_path.glob("*.journal")).stat().st_size
    journal.append([message("second, which will be torn")])
    journal.close()
    path = next(tmp_path.glob("*.journal"))
    os.truncate(path, size + cut)
    again = SegmentJournal(tmp_path)
    assert [r.entry.payload for r in again.since(-1)] == [b"first"]
    assert len(next(tmp_path.glob("*.torn")).read_bytes()) == cut
    assert [r.n for r in again.append([message("third")])] == [1]
    assert [r.entry.payload for r in again.since(-1)] == [b"first", b"third"]
    again.close()


def test_a_damaged_record_in_an_earlier_segment_is_an_error_that_names_the_file(
    tmp_path: Path,
) -> None:
    journal = SegmentJournal(tmp_path, segment_bytes=1)
    journal.append([message("one")])
    journal.append([message("two")])
    first = sorted(tmp_path.glob("*.journal"))[0]
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=first.name):
        list(journal.since(-1))
    journal.close()


def test_a_damaged_record_before_a_later_group_is_not_taken_for_a_torn_tail(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    for text in ("one", "two", "three"):
        journal.append([message(text), message(text)])
    journal.close()
    path = next(tmp_path.glob("*.journal"))
    data = bytearray(path.read_bytes())
    for flipped in (data.index(b"two"), data.index(b"two") - 45):
        damaged = data.copy()
        damaged[flipped] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(StoreCorrupt, match=path.name):
            SegmentJournal(tmp_path)
        assert path.read_bytes() == damaged, "nothing is cut off"


def test_what_looks_like_a_record_inside_a_torn_payload_does_not_stop_the_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    other = SegmentJournal(tmp_path / "other")
    other.advance(98)
    other.append([message("forged")])
    other.close()
    forged = next((tmp_path / "other").glob("*99.journal")).read_bytes()
    journal = SegmentJournal(tmp_path)
    journal.append([message("first")])
    size = next(tmp_path.glob("*.journal")).stat().st_size
    record = Entry(Kind.MESSAGE, 1, "t", b"x" + forged + b"behind")
    journal.append([record, message("lost with it")])
    journal.close()
    path = next(tmp_path.glob("*.journal"))
    data = bytearray(path.read_bytes())
    data[size + 20] ^= 1
    path.write_bytes(data)
    again = SegmentJournal(tmp_path)
    assert [r.entry.payload for r in again.since(-1)] == [b"first"]
    again.close()


def test_forget_drops_only_whole_segments_that_nobody_needs(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path, segment_bytes=1)
    for text in "abcd":
        journal.append([message(text)])
    journal.forget(1)
    assert journal.first() == 2
    assert [r.n for r in journal.since(-1)] == [2, 3]
    journal.forget(99)
    assert [r.n for r in journal.since(-1)] == [3]
    journal.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    with pytest.raises(StoreBusy, match="in use"):
        SegmentJournal(tmp_path)
    journal.close()
    SegmentJournal(tmp_path).close()


def text_of(n: int) -> str:
    return f"{n} " * 100


def _write_until_killed(folder: Path, pipe: int) -> None:
    journal = SegmentJournal(folder, segment_bytes=500_000)
    while True:  # small and large groups
        count = 200 if journal.end() // 7 % 2 else 3
        records = journal.append([message(text_of(journal.end() + 1 + i)) for i in range(count)])
        os.write(pipe, records[-1].n.to_bytes(8, "little"))


@pytest.mark.parametrize("seed", range(20))
def test_a_kill_loses_nothing_that_was_confirmed(tmp_path: Path, seed: int) -> None:
    confirmed = -1
    with closing(Child(_write_until_killed, tmp_path)) as child:
        for _ in range(5 + seed * 7):
            confirmed = int.from_bytes(child.read(8), "little")
        child.kill()
        if rest := child.rest():
            confirmed = int.from_bytes(rest[-8:], "little")
    journal = SegmentJournal(tmp_path, segment_bytes=500_000)
    kept = list(journal.since(-1))
    assert [r.n for r in kept] == list(range(len(kept)))
    assert [r.entry.payload for r in kept] == [text_of(r.n).encode() for r in kept]
    assert len(kept) > confirmed
    journal.close()


def test_positions_that_the_stores_know_are_never_given_out_again(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append([message("a")])
    journal.advance(9)
    assert [r.n for r in journal.append([message("b")])] == [10]
    journal.close()
    again = SegmentJournal(tmp_path)
    assert [r.n for r in again.since(-1)] == [0, 10]
    assert again.end() == 10
    again.advance(5)
    assert again.end() == 10
    again.close()


def test_records_of_all_sizes_are_written_as_the_head_of_the_module_says(tmp_path: Path) -> None:
    sizes = (0, 1, 63, 64, 1500, 8_000, 300_000, 5)
    payloads = [os.urandom(size) for size in sizes]
    entries = [Entry(Kind.MESSAGE, n, "pm/1/a.b/up/t/live", one) for n, one in enumerate(payloads)]
    journal = SegmentJournal(tmp_path)
    appended = journal.append(entries)
    assert list(journal.since(-1)) == appended
    journal.close()
    written = next(tmp_path.glob("*.journal")).read_bytes()
    expected = written[:42]
    first, (mark, salt) = (
        struct.unpack("<HBBIIqqII", written[:36]),
        struct.unpack("<HI", written[36:42]),
    )
    assert first == (0xF0E1, 0x7F, 0, 6, crc32(written[12:42], crc32(written[:8])), -1, 0, 0, ALL)
    expected += bytes(BLOCK - len(expected) if len(written) % BLOCK == 0 else 0)
    for n, (entry, payload) in enumerate(zip(entries, payloads, strict=True)):
        body = entry.topic.encode() + payload
        head = struct.pack("<HBBI", mark, 1 if n else 0x81, len(entry.topic), len(body))
        rest = struct.pack("<qqII", n, n, 0, ALL) + body
        expected += head + struct.pack("<I", crc32(rest, crc32(head, salt))) + rest
    assert written == expected + bytes(len(written) - len(expected))
    assert len(written) - len(expected) < BLOCK


def test_a_record_that_cannot_be_written_leaves_nothing_of_its_group(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append([message("first")])
    wide = Entry(Kind.MESSAGE, 1, "t", bytes(300_000))
    with pytest.raises(struct.error):
        journal.append([wide, Entry(Kind.MESSAGE, 1 << 64, "t", b"")])
    appended = journal.append([message("second")])
    assert [record.entry.payload for record in journal.since(-1)] == [b"first", b"second"]
    assert [record.n for record in appended] == [1]
    journal.close()


def test_a_full_disk_is_told_with_the_bytes_of_the_whole_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = SegmentJournal(tmp_path)
    group = [Entry(Kind.MESSAGE, 1, "t", bytes(200_000)) for _ in range(10)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreFull, match="cannot write 2000370 bytes"):
            journal.append(group)
    journal.append(group)
    (path,) = tmp_path.glob("*.journal")
    size = path.stat().st_size  # a file system may take no blocks
    assert size in {HEAD_BYTES + 2_000_370, BLOCK + blocks(2_000_370)}
    journal.close()


def test_more_records_than_one_call_writes(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    appended = journal.append([message(f"{n}") for n in range(3_000)])
    assert list(journal.since(-1)) == appended
    journal.close()


def large(text: str) -> list[Entry]:
    """Return a group that does not go through the system's cache."""
    return [message(f"{text} {n} {'x' * 9_000}") for n in range(9)]


def test_small_and_large_groups_follow_one_another(tmp_path: Path) -> None:
    groups = [[message("a")], large("b"), large("c"), [message("d")], [message("e")], large("f")]
    with closing(SegmentJournal(tmp_path)) as journal:
        appended = [record for group in groups for record in journal.append(group)]
        assert list(journal.since(-1)) == appended
    with closing(SegmentJournal(tmp_path)) as again:
        assert list(again.since(-1)) == appended
        appended += again.append([message("g")])
        appended += again.append(large("h"))
        assert list(again.since(-1)) == appended
    assert not list(tmp_path.glob("*.torn"))
    assert examine(tmp_path) == len(appended) - 1


def test_a_large_group_of_which_a_block_was_not_written_is_cut_there(tmp_path: Path) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        kept = journal.append([message("first")]) + journal.append(large("second"))
        (path,) = tmp_path.glob("*.journal")
        size = path.stat().st_size
        journal.append(large("third"))
    data = bytearray(path.read_bytes())
    for gone in range(size, len(data), BLOCK):
        torn = data.copy()
        torn[gone : gone + BLOCK] = bytes(BLOCK)
        path.write_bytes(torn)
        with closing(SegmentJournal(tmp_path)) as again:
            found = [*again.since(-1)]
            assert found[: len(kept)] == kept
            assert [one.n for one in found] == list(range(len(found)))
            added = again.append([message("fourth")])
            assert [*again.since(-1)] == found + added


def test_zeros_that_a_crash_left_at_the_end_are_no_torn_record(tmp_path: Path) -> None:
    for size in (1, 100, BLOCK, 5 * BLOCK + 7):
        with closing(SegmentJournal(tmp_path)) as journal:
            journal.append([message("before")])
            found = [*journal.since(-1)]
        (path,) = tmp_path.glob("*.journal")
        os.truncate(path, path.stat().st_size + size)
        with closing(SegmentJournal(tmp_path)) as again:
            assert [*again.since(-1)] == found
            added = again.append(large("behind"))
            assert [*again.since(-1)] == found + added
    assert not list(tmp_path.glob("*.torn"))


@pytest.mark.parametrize("later", [large("later"), [message("later")]])
def test_damage_before_a_later_group_is_seen_across_blocks(
    tmp_path: Path, later: list[Entry]
) -> None:
    with closing(SegmentJournal(tmp_path)) as journal:
        for group in ([message("first")], large("damaged"), later, large("torn")):
            journal.append(group)
    (path,) = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[data.index(b"damaged 3") + 20] ^= 1
    for cut in (0, 30_000):
        path.write_bytes(data[: len(data) - cut])
        with pytest.raises(StoreCorrupt, match=path.name):
            SegmentJournal(tmp_path)


def test_a_file_system_without_direct_writes_gets_the_same_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _what: int, flags: int = 0) -> int:
        if flags:
            raise OSError(errno.EINVAL, "Invalid argument")
        return 0

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with closing(SegmentJournal(tmp_path)) as journal:
        appended = journal.append([message("first")]) + journal.append(large("second"))
        appended += journal.append(large("third"))
        assert list(journal.since(-1)) == appended
