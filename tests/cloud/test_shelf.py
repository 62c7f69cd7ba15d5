"""Streams that fell silent: a line on disk, and still recognised."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloud.sequence import GONE_NS, MAX_STREAMS, SILENT_NS, Key, Numbered, Sequencer, Verdict
from cloud.shelf import SqliteShelf, damaged
from tests.cloud.served import Made
from tests.cloud.wires import batch, birth, up

KEY = Key("acme.pump1", "0190aaaa-boot", "live")
HOLED = Key("acme.pump1", "0190aaaa-boot", "bulk")


def offer(sequencer: Sequencer[int], seq: int, key: Key = KEY, now: int = 0) -> Verdict:
    return sequencer.offer(key, Numbered(seq, 10, 0, seq), now, seq).verdict


def test_a_silent_stream_without_holes_leaves_memory_and_its_repeats_are_recognised(
    tmp_path: Path,
) -> None:
    shelf = SqliteShelf(tmp_path / "numbers.db")
    s: Sequencer[int] = Sequencer(shelf)
    offer(s, 0)
    offer(s, 10)
    assert s.shelve(SILENT_NS - 1) == 0
    assert s.shelve(SILENT_NS) == 1
    assert s.dump() == []
    again: Sequencer[int] = Sequencer.load(s.dump(), shelf)
    assert offer(again, 0, now=SILENT_NS) is Verdict.REPEAT
    assert offer(again, 20, now=SILENT_NS) is Verdict.ACCEPT
    assert again.shelve(2 * SILENT_NS) == 1
    shelf.close()
    reopened = SqliteShelf(tmp_path / "numbers.db")
    assert reopened.get(KEY) == 30
    assert reopened.get(HOLED) is None
    reopened.close()


def test_a_stream_with_a_hole_stays_and_an_older_line_never_replaces_a_newer(
    tmp_path: Path,
) -> None:
    shelf = SqliteShelf(tmp_path / "numbers.db")
    s: Sequencer[int] = Sequencer(shelf)
    offer(s, 10, HOLED)
    list(s.overdue(SILENT_NS))
    assert s.shelve(SILENT_NS * 2) == 0
    shelf.put([(KEY, 50)])
    shelf.put([(KEY, 40)])
    assert shelf.get(KEY) == 50
    shelf.close()


def test_what_is_declared_lost_of_a_silent_stream_joins_its_line(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path / "numbers.db")
    s: Sequencer[int] = Sequencer(shelf)
    shelf.put([(KEY, 50)])
    s.account(KEY, 50, 59)
    assert s.position(KEY) == (59, ())
    shelf.close()


def test_a_stream_with_holes_goes_after_ninety_days_and_what_lacks_is_lost(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path / "numbers.db")
    s: Sequencer[int] = Sequencer(shelf)
    offer(s, 0, HOLED)
    offer(s, 20, HOLED)
    list(s.overdue(SILENT_NS))
    assert s.position(HOLED) == (9, ((10, 19),))
    assert s.shelve(GONE_NS - 1) == 0
    assert s.shelve(GONE_NS) == 1
    assert s.dump() == []
    assert shelf.get(HOLED) == 30
    assert offer(s, 10, HOLED, GONE_NS) is Verdict.REPEAT, "too late: it is taken for lost"
    assert offer(s, 20, HOLED, GONE_NS) is Verdict.REPEAT
    assert offer(s, 30, HOLED, GONE_NS) is Verdict.ACCEPT, "what is new is taken"
    assert s.position(HOLED) == (39, ())
    shelf.close()


def test_a_device_begins_so_many_streams_and_no_more() -> None:
    s: Sequencer[int] = Sequencer()
    for i in range(MAX_STREAMS):
        key = Key("acme.many", f"boot-{i}", "live")
        assert s.offer(key, Numbered(0, 1, 0, i), 0, i).verdict is Verdict.ACCEPT
    more = Key("acme.many", "boot-more", "live")
    assert s.offer(more, Numbered(0, 1, 0, 1), 0, 1).verdict is Verdict.LATER
    first = Key("acme.many", "boot-0", "live")
    assert s.offer(first, Numbered(1, 1, 1, 2), 0, 2).verdict is Verdict.ACCEPT, "old ones go on"
    other = Key("acme.other", "boot-more", "live")
    assert s.offer(other, Numbered(0, 1, 0, 1), 0, 1).verdict is Verdict.ACCEPT, "others, too"
    again: Sequencer[int] = Sequencer.load(s.dump())
    assert again.offer(more, Numbered(0, 1, 0, 1), 0, 1).verdict is Verdict.LATER


def test_streams_on_the_shelf_make_room_for_others(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path / "numbers.db")
    s: Sequencer[int] = Sequencer(shelf)
    for i in range(MAX_STREAMS):
        s.offer(Key("acme.many", f"boot-{i}", "live"), Numbered(0, 1, 0, i), 0, i)
    assert s.shelve(SILENT_NS) == MAX_STREAMS
    more = Key("acme.many", "boot-more", "live")
    assert s.offer(more, Numbered(0, 1, 0, 1), SILENT_NS, 1).verdict is Verdict.ACCEPT
    shelf.close()


@pytest.mark.parametrize(
    "wrong", ["expected = 90000", "expected = 10", "expected = x'ff31'", "crc = NULL", "crc = 1"]
)
def test_a_damaged_line_is_as_none_and_the_streams_next_line_replaces_it(
    tmp_path: Path, wrong: str
) -> None:
    path = tmp_path / "numbers.db"
    with closing(SqliteShelf(path)) as shelf:
        shelf.put([(KEY, 50), (HOLED, 70)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE stream SET {wrong} WHERE stream = 'live'")
    assert damaged(path) == 1
    with closing(SqliteShelf(path)) as shelf:
        s: Sequencer[int] = Sequencer(shelf)
        batch = Numbered(50, 10, 50, 1)  # the device has a receipt for all before
        assert s.offer(KEY, batch, 0, 1).verdict is Verdict.ACCEPT
        assert s.position(KEY) == (59, ())
        assert offer(s, 60, HOLED) is Verdict.REPEAT, "other lines tell as before"
        assert shelf.damaged == 1
        s.shelve(SILENT_NS)
        assert shelf.get(KEY) == 60
        assert shelf.get(HOLED) == 70
    assert damaged(path) == 0


def test_lines_of_an_earlier_version_get_their_checksums_at_once(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE stream (identity TEXT NOT NULL, boot TEXT NOT NULL, "
            "stream TEXT NOT NULL, expected INTEGER NOT NULL, "
            "PRIMARY KEY (identity, boot, stream)) WITHOUT ROWID"
        )
        db.execute("INSERT INTO stream VALUES (?, ?, ?, 50)", KEY)
    assert damaged(path) == 0
    with closing(SqliteShelf(path)) as shelf:
        assert shelf.get(KEY) == 50
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE stream SET expected = 51")
    assert damaged(path) == 1


def test_a_damaged_line_stops_no_service_and_a_restart_comes_to_the_same(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.take(up(birth(), "birth"), up(batch(0, [1.0, 2.0])))
    made.clock.now += SILENT_NS
    made.save()
    with closing(sqlite3.connect(tmp_path / "numbers.db")) as db, db:
        assert db.execute("UPDATE stream SET expected = 9").rowcount == 1
    made.take(up(batch(2, [3.0, 4.0], unreceipted=2)))
    live = made.service.ingest.sequencer.dump()
    assert [row[3] for row in live] == [4], "nothing of it is lost"
    made.again()
    assert made.service.ingest.sequencer.dump() == live
    assert made.service.shelf.damaged == 1
    made.service.stop()
    made.ledger.close()
