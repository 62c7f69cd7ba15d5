import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.sequence import (
    HOLD_BATCHES,
    HOLD_NS,
    MAX_HOLES,
    SILENT_NS,
    Decision,
    Key,
    Numbered,
    Sequencer,
    Verdict,
)
from cloud.stream import MAX_ISLANDS

KEY = Key("acme.pump1", "0190aaaa-boot", "live")


def numbered(seq: int, count: int = 10, u: int | None = 0, content: int | None = None) -> Numbered:
    return Numbered(seq, count, u, seq if content is None else content)


def offer(sequencer: Sequencer[int], batch: Numbered, now: int = 0) -> Verdict:
    return sequencer.offer(KEY, batch, now, batch.seq).verdict


def test_in_order_then_repeats_then_a_conflict() -> None:
    s: Sequencer[int] = Sequencer()
    assert offer(s, numbered(0)) is Verdict.ACCEPT
    assert offer(s, numbered(10)) is Verdict.ACCEPT
    assert offer(s, numbered(0)) is Verdict.REPEAT
    assert offer(s, numbered(10, content=999)) is Verdict.CONFLICT
    assert s.position(KEY) == (19, ())


def test_a_batch_beyond_a_hole_waits_and_follows_when_the_hole_is_filled() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    assert offer(s, numbered(20)) is Verdict.HOLD
    assert s.position(KEY) == (9, ((10, 19),))
    assert offer(s, numbered(10)) is Verdict.ACCEPT
    assert [(item, d.verdict) for item, d in s.followers(KEY)] == [(20, Verdict.ACCEPT)]
    assert s.position(KEY) == (29, ())


def test_after_two_seconds_it_is_let_go_and_the_hole_stays_missing_until_it_comes() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(20), now=1)
    assert list(s.overdue(HOLD_NS)) == []
    ((_, released),) = s.overdue(HOLD_NS + 1)
    assert [item for item, _ in released] == [20]
    assert s.position(KEY) == (9, ((10, 19),))
    assert offer(s, numbered(30)) is Verdict.ACCEPT, "the stream goes on behind the hole"
    assert offer(s, numbered(10)) is Verdict.ACCEPT, "the missing batch is taken, late"
    assert s.position(KEY) == (39, ())


def test_sixty_four_waiting_batches_are_let_go_at_once() -> None:
    s: Sequencer[int] = Sequencer()
    for i in range(HOLD_BATCHES):
        assert offer(s, numbered(10 + 10 * i)) is Verdict.HOLD
    ((_, released),) = s.overdue(0)
    assert len(released) == HOLD_BATCHES


def test_what_waits_survives_a_release_that_did_not_become_durable() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(20))
    s.begin()
    assert len(list(s.overdue(HOLD_NS))) == 1
    assert list(s.overdue(HOLD_NS)) == []
    s.rollback()
    assert s.waiting() == 1
    ((_, released),) = s.overdue(HOLD_NS)
    assert [item for item, _ in released] == [20]
    assert s.waiting() == 0


def test_a_service_without_memory_believes_what_the_device_says_has_a_receipt() -> None:
    s: Sequencer[int] = Sequencer()
    assert offer(s, numbered(500, u=500)) is Verdict.ACCEPT
    assert s.position(KEY) == (509, ())
    t: Sequencer[int] = Sequencer()
    assert offer(t, numbered(500, u=400)) is Verdict.HOLD
    assert t.position(KEY) == (399, ((400, 499),))


def test_overlapping_batches_store_only_what_is_new() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    decision = s.offer(KEY, numbered(5, 10), 0, 5)
    assert decision.parts == ((5, 5),)


def test_known_numbers_cut_anew_are_a_conflict_not_a_repeat() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(10))
    again: Sequencer[int] = Sequencer.load(s.dump())
    for known in (s, again):
        assert offer(known, numbered(5, 10, content=77)) is Verdict.CONFLICT
        assert offer(known, numbered(10)) is Verdict.REPEAT


def test_one_island_too_many_is_left_with_the_device() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0, 1))
    for i in range(MAX_ISLANDS + 50):
        s.account(KEY, 10 + 2 * i, 10 + 2 * i)
    edge = 10 + 2 * MAX_ISLANDS
    assert offer(s, numbered(edge + 1, 1)) is Verdict.LATER
    hwm, holes = s.position(KEY)
    assert (hwm, len(holes)) == (0, MAX_HOLES)
    assert offer(s, numbered(1, 9)) is Verdict.ACCEPT
    assert s.position(KEY)[0] == 10
    assert offer(s, numbered(edge + 1, 1)) is not Verdict.LATER, "the first hole made room"


def test_a_clock_set_back_does_not_keep_batches_waiting() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(20), now=10**15)
    assert len(list(s.overdue(10**15 + 1))) == 0
    assert len(list(s.overdue(10**15 - 1))) == 1


def test_declared_gaps_advance_the_watermark() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(20))
    s.account(KEY, 10, 19)
    assert [item for item, _ in s.followers(KEY)] == [20]
    assert s.position(KEY) == (29, ())


def test_what_waits_is_taken_though_the_device_has_no_use_for_it_any_more() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(20))
    offer(s, numbered(35, 10))
    assert offer(s, numbered(50, u=50)) is Verdict.ACCEPT
    released = list(s.followers(KEY))
    assert [(item, d.parts) for item, d in released] == [(20, ((0, 10),)), (35, ((0, 10),))]
    assert s.position(KEY) == (59, ())


def test_rollback_keeps_what_waited_within_a_range_declared_lost() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    offer(s, numbered(20))
    s.begin()
    assert [item for item, _ in s.within(KEY, 29, 40)] == [20]
    s.account(KEY, 29, 40)
    s.rollback()
    assert list(s.within(KEY, 10, 19)) == list(s.within(KEY, 30, 40)) == []
    assert [item for item, _ in s.within(KEY, 10, 20)] == [20]
    assert s.waiting() == 0


def test_rollback_forgets_what_did_not_become_durable() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    s.begin()
    offer(s, numbered(10))
    offer(s, numbered(30))
    other = Key("acme.pump2", "0190bbbb-boot", "live")
    s.offer(other, numbered(0), 0, 0)
    s.rollback()
    assert s.position(KEY) == (9, ())
    assert s.position(other) == (-1, ())
    assert offer(s, numbered(10)) is Verdict.ACCEPT


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=30),
    restart=st.integers(0, 60),
)
def test_any_order_with_repeats_stores_each_sample_once(
    seed: int, sizes: list[int], restart: int
) -> None:
    chance = random.Random(seed)
    batches, at = [], 0
    for size in sizes:
        batches.append(numbered(at, size))
        at += size
    sent = batches * 3
    chance.shuffle(sent)
    s: Sequencer[Numbered] = Sequencer()
    stored: list[int] = []

    def take(batch: Numbered, parts: tuple[tuple[int, int], ...]) -> None:
        for skip, count in parts:
            stored.extend(range(batch.seq + skip, batch.seq + skip + count))

    for step, batch in enumerate([*sent, *batches]):
        if step == restart:
            s = Sequencer.load(s.dump())  # what waited is gone; it has no receipt and comes again
        take(batch, s.offer(KEY, batch, step * 10**8, batch).parts)
        for held, decision in s.followers(KEY):
            take(held, decision.parts)
        for _, released in s.overdue(step * 10**8):
            for held, decision in released:
                take(held, decision.parts)
    for _, released in s.overdue(10**12):
        for held, decision in released:
            take(held, decision.parts)
    assert sorted(stored) == list(range(at))
    assert s.position(KEY) == (at - 1, ())


@settings(max_examples=200, deadline=None)
@given(
    sent=st.lists(
        st.builds(
            lambda seq, count, u: numbered(seq, count, None if u is None else min(u, seq)),
            st.integers(0, 30),
            st.integers(1, 6),
            st.none() | st.integers(0, 30),
        ),
        min_size=1,
        max_size=25,
    ),
    kept=st.integers(0, 25),
    restart=st.integers(0, 25),
)
def test_whatever_is_said_to_have_a_receipt_a_restart_loses_and_doubles_nothing(
    sent: list[Numbered], kept: int, restart: int
) -> None:
    """After a restart the journal tells of what was stored alone, not of what repeats said."""
    s: Sequencer[Numbered] = Sequencer()
    snapshot, journal = Sequencer[Numbered]().dump(), list[tuple[Numbered, int, int]]()
    behind = given_up = told = 0
    for step, batch in enumerate(sent):
        if step == kept:
            snapshot, behind = s.dump(), len(journal)
        if step == restart:
            s = Sequencer.load(snapshot)
            for stored, skip, take in journal[behind:]:
                s.restore(KEY, stored, skip, take, 0)
        now = step * HOLD_NS // 7
        given_up = max(given_up, batch.unreceipted or 0)
        taken = [(batch, s.offer(KEY, batch, now, batch)), *s.followers(KEY)]
        taken += [one for _, released in s.overdue(now) for one in released]
        journal += [(one, *part) for one, decision in taken for part in decision.parts]
        told = max(told, s.position(KEY)[0] + 1)
    here = [one.seq + skip + at for one, skip, take in journal for at in range(take)]
    assert len(here) == len(set(here))
    assert set(range(given_up, told)) <= set(here), "told without being stored"


def test_other_content_is_a_conflict_while_the_first_one_waits_too() -> None:
    s: Sequencer[int] = Sequencer()
    offer(s, numbered(0))
    assert offer(s, numbered(20)) is Verdict.HOLD
    for _ in "held", "let go":
        assert offer(s, numbered(20)) is Verdict.REPEAT
        assert offer(s, numbered(20, content=77)) is Verdict.CONFLICT
        assert offer(s, numbered(20, 5, content=77)) is Verdict.CONFLICT
        list(s.overdue(HOLD_NS))
    assert s.position(KEY) == (9, ((10, 19),))


@settings(max_examples=300, deadline=None)
@given(
    sent=st.lists(
        st.builds(numbered, st.integers(0, 30), st.integers(1, 12), st.none(), st.integers(0, 2)),
        min_size=1,
        max_size=20,
    ),
    let_go=st.sets(st.integers(0, 20)),
)
def test_the_first_copy_stays_and_is_judged_alike_whether_it_waits_or_is_stored(
    sent: list[Numbered], let_go: set[int]
) -> None:
    """However messages are grouped: a number belongs to the first batch that had it."""
    s: Sequencer[int] = Sequencer()
    first: dict[int, int] = {}
    stored: dict[int, int] = {}
    copies: list[Numbered] = []
    for step, batch in enumerate(sent):
        numbers = range(batch.seq, batch.seq + batch.count)
        with_some = [
            one for one in copies if one.seq < numbers.stop and one.seq + one.count > batch.seq
        ]
        decision = s.offer(KEY, batch, 0, step)
        if all(number in first for number in numbers):
            same = batch.fingerprint in {one.fingerprint for one in with_some}
            assert decision.verdict is (Verdict.REPEAT if same else Verdict.CONFLICT)
        else:
            copies.append(batch)
            for number in numbers:
                first.setdefault(number, step)
        taken = [(step, decision), *s.followers(KEY)]
        if step in let_go:
            taken += [one for _, released in s.overdue(HOLD_NS) for one in released]
        _store(stored, sent, taken)
    _store(stored, sent, [one for _, released in s.overdue(HOLD_NS) for one in released])
    assert stored == first


def _store(stored: dict[int, int], sent: list[Numbered], taken: list[tuple[int, Decision]]) -> None:
    """Note which batch each number was stored from."""
    for step, decision in taken:
        for skip, count in decision.parts:
            for number in range(sent[step].seq + skip, sent[step].seq + skip + count):
                assert number not in stored
                stored[number] = step


@pytest.mark.parametrize("known", [True, False])
def test_restoring_from_the_journal_gives_the_same_position(known: bool) -> None:
    live: Sequencer[int] = Sequencer()
    if known:
        offer(live, numbered(0))
    offer(live, numbered(20))
    list(live.overdue(HOLD_NS))
    again: Sequencer[int] = Sequencer()
    if known:
        again.restore(KEY, numbered(0), 0, 10, 0)
    again.restore(KEY, numbered(20), 0, 10, 0)
    assert again.position(KEY) == live.position(KEY)
    assert offer(again, numbered(10)) is Verdict.ACCEPT


def test_a_batch_in_several_parts_is_remembered_once_in_a_replay_too() -> None:
    live: Sequencer[int] = Sequencer()
    again: Sequencer[int] = Sequencer()
    offer(live, numbered(0, 5))
    offer(live, numbered(10, 5))
    list(live.overdue(HOLD_NS))
    wide = numbered(5, 15)
    assert live.offer(KEY, wide, 0, 5).parts == ((0, 5), (10, 5))
    for batch, skip, take in (
        (numbered(0, 5), 0, 5),
        (numbered(10, 5), 0, 5),
        (wide, 0, 5),
        (wide, 10, 5),
    ):
        again.restore(KEY, batch, skip, take, 0)
    assert again.dump() == live.dump()


def test_a_snapshot_of_an_earlier_version_still_says_which_numbers_are_here() -> None:
    s: Sequencer[int] = Sequencer.load([[*KEY, 30, [], "AAAA", 0, SILENT_NS]])
    assert s.position(KEY) == (29, ())
    assert offer(s, numbered(20, content=999)) is Verdict.REPEAT  # its content is not known
    assert offer(s, numbered(30)) is Verdict.ACCEPT


def test_after_an_upgrade_that_tells_content_apart_anew_repeats_are_no_conflicts() -> None:
    s: Sequencer[int] = Sequencer()
    for i in range(70):
        offer(s, numbered(10 * i))
    again: Sequencer[int] = Sequencer.load(s.dump(), prints=False)
    assert offer(again, numbered(690, content=77)) is Verdict.REPEAT
    assert offer(again, numbered(700)) is Verdict.ACCEPT
    assert offer(again, numbered(700, content=77)) is Verdict.CONFLICT


@settings(max_examples=200, deadline=None)
@given(
    before=st.lists(st.tuples(st.integers(0, 150), st.integers(1, 9)), max_size=90),
    during=st.lists(st.tuples(st.integers(0, 190), st.integers(1, 9)), max_size=90),
)
def test_rollback_returns_to_where_the_group_began(
    before: list[tuple[int, int]], during: list[tuple[int, int]]
) -> None:
    s: Sequencer[int] = Sequencer()
    other = KEY._replace(stream="bulk")

    def take(one: tuple[int, int], step: int) -> None:
        seq, kind = one
        key = KEY if kind % 2 else other
        if kind == 9:
            s.account(key, seq, seq + 3)
        elif kind == 8:
            list(s.overdue(step * HOLD_NS))
        else:
            s.offer(key, numbered(seq, kind, content=kind), step, seq)
        list(s.followers(key))

    for step, one in enumerate(before):
        take(one, step)
    s.begin()
    known, waiting = s.dump(), s.waiting()
    for step, one in enumerate(during, len(before)):
        take(one, step)
    s.rollback()
    assert (s.dump(), s.waiting()) == (known, waiting)
