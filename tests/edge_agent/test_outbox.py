from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.outbox import Outbox
from edge_agent.outbox_file import BEGINNING, connect_read_only, disk_bytes, stats
from models.contract import codec, topics
from models.contract.messages import Batch
from tests.edge_agent.made import batch, birth

MIB = 1024 * 1024


def read(payload: bytes) -> Batch:
    found = codec.decode(topics.parse("pm/1/a.b/up/t/live"), payload)
    assert isinstance(found, Batch)
    return found


def test_what_is_appended_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, "boot-one", max_bytes=4 * MIB)
    placed = outbox.append(
        [("live", batch([1.0, 2.0])), ("live", batch([3.0])), ("alarm", batch([9.0]))]
    )
    assert [(p.seq, p.samples, p.kept) for p in placed] == [
        (0, 2, True),
        (2, 1, True),
        (0, 1, True),
    ]
    outbox.close()
    again = Outbox(path, "boot-one", max_bytes=4 * MIB)
    assert [(s.boot, s.seq, s.samples) for s in again.pending("live")] == [
        ("boot-one", 0, 2),
        ("boot-one", 2, 1),
    ]
    first = read(again.pending("live")[0].payload)
    assert (first.boot, first.seq, first.count, first.unreceipted) == ("boot-one", 0, 2, 0)
    assert again.append([("live", batch([4.0]))])[0].seq == 3
    again.close()


def test_an_older_boot_comes_first_and_leaves_no_trace_when_receipted(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for boot in ("boot-b", "boot-a"):  # the order of starting counts, not that of names
        outbox = Outbox(path, boot, max_bytes=4 * MIB)
        outbox.remember(birth(boot))
        outbox.append([("live", batch([1.0])), ("live", batch([2.0]))])
        outbox.close()
    outbox = Outbox(path, "boot-c", max_bytes=4 * MIB)
    assert [(s.boot, s.seq) for s in outbox.pending("live")] == [
        ("boot-b", 0),
        ("boot-b", 1),
        ("boot-a", 0),
        ("boot-a", 1),
    ]
    assert len(outbox.births()) == 2
    outbox.forget("boot-b", "live", 99)
    assert [s.boot for s in outbox.pending("live")] == ["boot-a", "boot-a"]
    assert outbox.stats().boots == 1
    assert len(outbox.births()) == 1
    assert outbox.unreceipted("boot-a", "live") == 0
    outbox.forget("boot-a", "live", 0)
    assert outbox.unreceipted("boot-a", "live") == 1
    outbox.close()


def test_pending_goes_on_from_a_place(tmp_path: Path) -> None:
    outbox = Outbox(None, "b")
    outbox.append([("bulk", batch([float(i)])) for i in range(20)])
    seen, place = [], BEGINNING
    while found := outbox.pending("bulk", place, limit=7):
        seen += [s.seq for s in found]
        place = found[-1].place
    assert seen == list(range(20))
    assert [s.seq for s in outbox.holding("b", "bulk", 3, 5)] == [3, 4, 5]
    outbox.close()


def test_a_receipt_within_a_batch_keeps_the_batch() -> None:
    outbox = Outbox(None, "b")
    outbox.append([("live", batch([1.0, 2.0, 3.0])), ("live", batch([4.0]))])
    outbox.forget("b", "live", 1)
    assert [s.seq for s in outbox.pending("live")] == [0, 3]
    assert outbox.unreceipted("b", "live") == 2
    outbox.forget("b", "live", 10**12)  # more than was ever made: only what was
    assert outbox.pending("live") == []
    assert outbox.unreceipted("b", "live") == 4
    outbox.close()


def test_an_unreadable_batch_is_kept_aside_and_declared() -> None:
    outbox = Outbox(None, "b")
    outbox.append([("live", batch([1.0])), ("live", batch([2.0, 3.0]))])
    outbox.set_aside(outbox.pending("live")[1], "unreadable")
    (gap,) = outbox.gaps()
    assert (gap.boot, gap.stream, gap.ranges, gap.reason) == ("b", "live", ((1, 2),), "unreadable")
    assert outbox.stats().aside == 1
    assert [s.seq for s in outbox.pending("live")] == [0]
    outbox.forget("b", "live", 2)
    assert outbox.gaps() == []
    outbox.close()


def test_a_refusal_for_ever_leaves_a_gap_with_its_code() -> None:
    outbox = Outbox(None, "b")
    outbox.append([("live", batch([1.0])), ("live", batch([2.0])), ("live", batch([3.0]))])
    outbox.discard("b", "live", 1, 2, "wrong-type")
    assert [s.seq for s in outbox.pending("live")] == [0]
    assert outbox.gaps()[0].ranges == ((1, 2),)
    outbox.close()


def test_a_batch_too_large_for_a_message_becomes_a_gap() -> None:
    outbox = Outbox(None, "b")
    placed = outbox.append(
        [("live", batch([1.0])), ("live", batch([1.0] * 40_000)), ("live", batch([2.0]))]
    )
    assert [p.kept for p in placed] == [True, False, True]
    assert outbox.gaps()[0].reason == "too-large"
    assert outbox.gaps()[0].ranges == ((1, 40_000),)
    outbox.close()


def test_the_numbers_can_be_read_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, "b", max_bytes=4 * MIB)
    outbox.append([("live", batch([1.0, 2.0]))])
    for state in ("running", "stopped"):
        if state == "stopped":
            outbox.close()
        db = connect_read_only(path)
        numbers = stats(db, path)
        db.close()
        assert (numbers.batches, numbers.samples, numbers.oldest_ns) == (
            1,
            2,
            1_790_000_000_000_000_000,
        )
        assert numbers.disk_bytes == disk_bytes(path)
        assert set(numbers.streams) == {"live"}


ACTIONS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(["alarm", "live"]), st.integers(1, 5)),
    st.tuples(st.just("forget"), st.sampled_from(["alarm", "live"]), st.integers(-1, 40)),
    st.tuples(st.just("crash"), st.just("live"), st.just(0)),
    st.tuples(st.just("start"), st.just("live"), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_numbers_never_repeat_and_only_receipts_delete(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, int]]
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    boots = ["boot-0"]
    outbox = Outbox(path, boots[-1], max_bytes=4 * MIB)
    expected: dict[tuple[str, str], list[tuple[int, int]]] = {}
    produced: dict[tuple[str, str], int] = {}
    for action, stream, number in actions:
        key = (boots[-1], stream)
        if action == "append":
            (placed,) = outbox.append([(stream, batch([0.5] * number))])
            assert placed == (produced.get(key, 0), number, True)
            produced[key] = placed.seq + number
            expected.setdefault(key, []).append((placed.seq, number))
        elif action == "forget":
            outbox.forget(*key, number)
            kept = [(seq, n) for seq, n in expected.get(key, []) if seq + n - 1 > number]
            expected[key] = kept
        else:
            outbox.close()
            if action == "start":
                boots.append(f"boot-{len(boots)}")
            outbox = Outbox(path, boots[-1], max_bytes=4 * MIB)
    for stream in ("alarm", "live"):
        found = [(s.boot, s.seq, s.samples) for s in outbox.pending(stream, limit=999)]
        wanted = [(b, seq, n) for b in boots for seq, n in expected.get((b, stream), [])]
        assert found == wanted
    assert outbox.bytes == outbox.stats().bytes
    outbox.close()
