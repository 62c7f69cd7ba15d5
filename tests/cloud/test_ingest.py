import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from cloud.errors import StoreFull
from cloud.ingest import Ingest
from cloud.journal import Entry, Kind, Record, SegmentJournal
from cloud.quota import Limits, Quota
from cloud.reader import Arrived
from cloud.sequence import HOLD_NS, Sequencer
from models.contract import codec
from models.contract.errors import Reason
from models.contract.messages import Gap
from tests.cloud.wires import BOOT, T0, batch, birth, up


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    journal = SegmentJournal(tmp_path / "journal")
    yield Ingest(journal, Sequencer())
    journal.close()


def segment(ingest: Ingest) -> bytes:
    """Return the bytes of the journal's only segment."""
    assert isinstance(ingest.journal, SegmentJournal)
    (path,) = ingest.journal._segments()
    return path.read_bytes()


def kinds(ingest: Ingest) -> list[Kind]:
    return [record.entry.kind for record in ingest.journal.since(-1)]


def test_a_batch_is_in_the_journal_before_its_receipt_exists(ingest: Ingest) -> None:
    handled = ingest.handle([up(batch(0, [1.0, 2.0]))], T0)
    ((identity, receipt),) = handled.receipts
    assert (identity, receipt.boot, receipt.stream, receipt.hwm) == ("acme.pump1", BOOT, "live", 1)
    assert [r.n for r in ingest.journal.since(-1)] == [r.n for r in handled.records] == [0]


def test_a_repeat_is_receipted_again_but_not_recorded_again(ingest: Ingest) -> None:
    ingest.handle([up(batch(0, [1.0]))], T0)
    handled = ingest.handle([up(batch(0, [1.0], u=0))], T0)
    assert handled.records == []
    assert handled.receipts[0][1].hwm == 0
    assert ingest.counters.repeats == 1


def test_totals_are_of_whole_groups_for_whoever_reads_them_meanwhile(tmp_path: Path) -> None:
    read: list[tuple[int, int]] = []

    class Slow(SegmentJournal):
        def append(self, entries: Sequence[Entry]) -> list[Record]:
            read.append((intake.counters.messages, intake.counters.accepted))
            return super().append(entries)

    with closing(Slow(tmp_path)) as journal:
        intake = Ingest(journal, Sequencer())
        intake.handle([up(batch(0, [1.0])), up(batch(1, [2.0]))], T0)
        intake.handle([up(batch(2, [3.0]))], T0)
        assert read == [(0, 0), (2, 2)]
        assert (intake.counters.messages, intake.counters.accepted) == (3, 3)


def test_a_resend_with_another_u_is_a_repeat_and_other_content_a_conflict(ingest: Ingest) -> None:
    first = batch(5, [1.0], u=5)
    ingest.handle([up(first)], T0)
    ingest.handle([up(codec.with_unreceipted(first, 3))], T0)
    assert (ingest.counters.repeats, ingest.counters.conflicts) == (1, 0)
    ingest.handle([up(batch(5, [7.0], u=5))], T0)
    assert ingest.counters.conflicts == 1
    last = list(ingest.journal.since(-1))[-1].entry
    assert last.kind is Kind.ASIDE
    assert last.payload.startswith(Reason.SEQ_CONFLICT.encode())


def test_a_batch_beyond_a_hole_gets_no_receipt_until_it_is_recorded(ingest: Ingest) -> None:
    ingest.handle([up(batch(0, [1.0]))], T0)
    handled = ingest.handle([up(batch(2, [3.0]), at=T0)], T0)
    assert handled.records == []
    assert handled.receipts[0][1].hwm == 0
    assert handled.receipts[0][1].missing == ((1, 1),)
    handled = ingest.handle([], T0 + HOLD_NS)
    assert [r.entry.kind for r in handled.records] == [Kind.RELEASE, Kind.MESSAGE]
    handled = ingest.handle([up(batch(1, [2.0]))], T0)
    assert handled.receipts[0][1].hwm == 2


def test_what_the_device_no_longer_has_is_accounted_for(ingest: Ingest) -> None:
    ingest.handle([up(batch(0, [1.0])), up(batch(4, [5.0]))], T0)
    gap = codec.encode(Gap(boot=BOOT, stream="live", ranges=((1, 3),), reason="full"), "json")
    handled = ingest.handle([up(gap, "e", "gap")], T0)
    assert len(handled.records) == 2
    assert handled.receipts[0][1].hwm == 4


@pytest.mark.parametrize("together", [1, 2, 3])
def test_what_waits_here_is_not_lost_with_the_range_that_the_device_declares(
    ingest: Ingest, tmp_path: Path, together: int
) -> None:
    gap = codec.encode(Gap(boot=BOOT, stream="live", ranges=((1, 3),), reason="full"), "json")
    sent = [up(batch(0, [1.0])), up(batch(2, [3.0, 4.0])), up(gap, "e", "gap")]
    for first in range(0, len(sent), together):
        (_, receipt), *_ = ingest.handle(sent[first : first + together], T0).receipts
    assert (receipt.hwm, receipt.missing) == (3, ())
    assert (ingest.counters.samples, ingest.counters.repeats) == (3, 0)
    journal = list(ingest.journal.since(-1))
    assert [r.entry.payload for r in journal] == [one.payload for one in sent]
    again = Ingest(ingest.journal, Sequencer())
    again.restore(journal)
    assert again.sequencer.dump() == ingest.sequencer.dump()


def test_messages_that_wait_are_let_go_where_they_would_take_too_much(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = [up(batch(2, [1.0] * 90), device=f"acme.pump{i}") for i in range(9)]
    size = len(waits[0].payload)
    monkeypatch.setattr("cloud.sequence.MAX_HELD_BYTES", 8 * size)
    assert ingest.handle(waits[:8], T0).records == []
    assert len(ingest.handle(waits[8:], T0).records) == 18, "each with the release of its stream"
    assert ingest.sequencer.waiting() == 0


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("pm/1/acme.pump1/up/t/live", b"{", Reason.UNREADABLE),
        ("pm/1/acme.pump1/up/t/live", b"\xff", Reason.UNREADABLE),
        ("pm/1/acme.pump1/up/t/live", b'{"v":9,"d":{"a":[1]}}', Reason.VERSION),
        (
            "pm/1/acme.pump1/up/t/live",
            b'{"d":{"a":' + b"[" * 100 + b"]" * 100 + b"}}",
            Reason.TOO_DEEP,
        ),
        ("pm/1/acme.pump1/up/t/live", b'{"d":{"a":[' + b"1," * 200_000 + b"1]}}", Reason.TOO_LARGE),
        ("pm/1/ACME.pump1/up/t/live", b'{"d":{"a":[1]}}', Reason.BAD_TOPIC),
        ("pm/1/" + "x" * 400, b"", Reason.BAD_TOPIC),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_reason_and_the_loop_goes_on(
    ingest: Ingest, topic: str, payload: bytes, reason: Reason
) -> None:
    handled = ingest.handle([Arrived(topic, payload, T0), up(batch(0, [1.0]))], T0)
    assert [r.entry.kind for r in handled.records] == [Kind.ASIDE, Kind.MESSAGE]
    assert handled.records[0].entry.payload.startswith(reason.encode())
    assert ingest.counters.aside == 1


def test_a_retained_birth_is_recorded_once(ingest: Ingest) -> None:
    for _ in range(3):
        ingest.handle([up(birth(), "birth")], T0)
    assert kinds(ingest) == [Kind.MESSAGE]


def test_a_reading_without_numbers_is_taken_but_not_receipted(ingest: Ingest) -> None:
    handled = ingest.handle([up(b'{"d":{"temp":41.9}}')], T0)
    assert len(handled.records) == 1
    assert handled.receipts == []


@pytest.mark.parametrize("room", [0, 10, 200])
def test_a_full_disk_leaves_everything_to_be_sent_again(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    ingest.handle([up(batch(0, [1.0]))], T0)
    whole = segment(ingest)
    group = [up(batch(1, [2.0])), up(birth(), "birth"), up(b"junk")]
    with monkeypatch.context() as patch:
        left, write = room, os.pwrite

        def fills(descriptor: int, image: memoryview, at: int) -> int:
            nonlocal left
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = write(descriptor, image[:left], at)
            left -= taken
            return taken

        patch.setattr(os, "pwrite", fills)
        for _ in range(3):
            left = room
            with pytest.raises(StoreFull):
                ingest.handle(group, T0)
            assert left == 0
            assert segment(ingest) == whole
    assert (ingest.counters.messages, ingest.counters.aside, ingest.counters.samples) == (1, 0, 1)
    handled = ingest.handle([up(batch(1, [2.0])), up(birth(), "birth")], T0)
    assert len(handled.records) == 2
    assert handled.receipts[0][1].hwm == 1


def test_a_start_from_the_journal_knows_what_was_taken(ingest: Ingest) -> None:
    ingest.handle([up(batch(0, [1.0])), up(birth(), "birth"), up(batch(4, [5.0]))], T0)
    ingest.handle([], T0 + HOLD_NS)
    again = Ingest(ingest.journal, Sequencer())
    assert len(again.restore(list(ingest.journal.since(-1)))) == 3
    handled = again.handle(
        [up(batch(0, [1.0])), up(batch(4, [5.0])), up(birth(), "birth"), up(batch(1, [2.0]))], T0
    )
    assert len(handled.records) == 1
    assert handled.receipts[0][1].hwm == 1
    assert handled.receipts[0][1].missing == ((2, 3),)


def test_the_services_own_entries_go_first(ingest: Ingest) -> None:
    handled = ingest.handle([up(batch(0, [1.0]))], T0, [Entry(Kind.TICK, T0)])
    assert [r.entry.kind for r in handled.records] == [Kind.TICK, Kind.MESSAGE]


def test_nothing_is_refused_for_good_before_it_is_recorded(ingest: Ingest) -> None:
    ingest.handle([up(batch(0, [1.0]))], T0)
    body = b'{"b":"%s","s":9,"t0":%d,"n":1,"d":{"a":["x"]}}' % (BOOT.encode(), T0)
    ((_, receipt),) = ingest.handle([up(body)], T0).receipts
    assert receipt.refused == ()
    ((_, receipt),) = ingest.handle([up(batch(1, [1.0] * 8))], T0).receipts
    assert receipt.hwm == 9


def test_of_a_message_that_is_too_large_only_the_head_is_kept(ingest: Ingest) -> None:
    ingest.handle([up(b'{"d":{"a":1}}' + b" " * 300_000)], T0)
    (entry,) = (record.entry for record in ingest.journal.since(-1))
    assert entry.payload.startswith(Reason.TOO_LARGE.encode())
    assert len(entry.payload) < 2_000


def test_what_no_birth_explains_is_kept_and_the_birth_asked_for(ingest: Ingest) -> None:
    known: set[tuple[str, str]] = set()
    ingest.explained = lambda device, dictionary: (device, dictionary) in known
    handled = ingest.handle([up(batch(0, [1.0], dictionary="00000001"))], T0)
    ((device, receipt),) = handled.receipts
    assert (len(handled.records), receipt.hwm) == (1, 0)
    assert [refusal.code for refusal in receipt.refused] == [Reason.UNKNOWN_DICTIONARY]
    known.add((device, "00000001"))
    ((_, receipt),) = ingest.handle([up(batch(1, [1.0], dictionary="00000001"))], T0).receipts
    assert receipt.refused == ()


def test_a_flood_over_the_limit_is_counted_not_kept(ingest: Ingest) -> None:
    ingest.quota = Quota(Limits(device_messages_per_s=10, burst_s=1))
    handled = ingest.handle([up(batch(i, [1.0])) for i in range(50)], T0)
    ((_, receipt),) = handled.receipts
    assert (len(handled.records), receipt.hwm) == (10, 9)
    assert receipt.credit == 1
    assert ingest.counters.refused == 40
    handled = ingest.handle([up(batch(i, [1.0]), at=T0 + 10**9) for i in range(10, 20)], T0)
    assert handled.receipts[0][1].hwm == 19


def test_values_over_the_limit_are_refused_by_name(ingest: Ingest) -> None:
    ingest.quota = Quota(Limits(device_values_per_s=10, burst_s=1))
    ingest.handle([up(batch(0, [1.0] * 8))], T0)
    ((_, receipt),) = ingest.handle([up(batch(8, [1.0] * 8))], T0).receipts
    assert [(r.first, r.last, r.code) for r in receipt.refused] == [(8, 15, Reason.QUOTA)]
    assert receipt.hwm == 7


def test_a_receipt_stays_small_whatever_the_gaps(ingest: Ingest) -> None:
    ranges = tuple((2 * i, 2 * i) for i in range(1, 5000))
    gap = codec.encode(Gap(boot=BOOT, stream="live", ranges=ranges, reason="full"), "json")
    ((_, receipt),) = ingest.handle([up(gap, "e", "gap")], T0).receipts
    assert len(receipt.missing) == 1000
    assert len(codec.encode(receipt, "json")) < 64_000
