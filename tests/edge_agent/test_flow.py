from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.flow import LONGEST_STALL_S, TRIES, Flow, permanent
from edge_agent.outbox_file import BEGINNING, Place, Stored
from models.contract.errors import Reason
from models.contract.messages import Receipt, Refusal


def stored(seq: int, samples: int = 1, boot: int = 1) -> Stored:
    return Stored(
        boot=f"boot-{boot}",
        stream="live",
        seq=seq,
        samples=samples,
        payload=b"",
        place=Place(boot, seq),
    )


def receipt(hwm: int, boot: int = 1, **more: object) -> Receipt:
    return Receipt(boot=f"boot-{boot}", stream="live", hwm=hwm, **more)  # type: ignore[arg-type]


def begun(window: int = 4, sent: int = 4) -> Flow:
    flow = Flow("live", window)
    flow.begin(0.0)
    for seq in range(sent):
        flow.sent(stored(seq), 0.0)
    return flow


def test_at_most_a_window_is_on_its_way() -> None:
    flow = begun(window=4, sent=4)
    assert flow.room() == 0
    flow.receipt(receipt(1), 0.1)
    assert flow.room() == 2
    assert flow.cursor == Place(1, 3)


def test_without_progress_it_begins_again_with_a_probe() -> None:
    flow = begun()
    assert flow.due(1.9) is None
    assert flow.cursor == Place(1, 3)
    assert flow.due(2.0) is None
    assert flow.cursor == BEGINNING
    assert flow.room() == 2
    flow.sent(stored(0), 2.0)
    flow.sent(stored(1), 2.0)
    flow.receipt(receipt(1), 2.1)
    assert flow.room() == 4


def test_a_silent_cloud_is_asked_ever_more_seldom_and_costs_no_batch() -> None:
    flow = begun()
    now, waits = 0.0, []
    for _ in range(12):
        deadline = flow.deadline()
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline
        assert flow.due(now) is None
        flow.sent(stored(0), now)
    assert waits[:3] == [2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_STALL_S


def test_a_cloud_that_answers_but_never_takes_the_first_batch_has_it_set_aside() -> None:
    flow = begun()
    now, tries = 0.0, 0
    while True:
        flow.receipt(receipt(-1, missing=((0, 0),)), now + 0.1)
        now = flow.deadline() or now
        place = flow.due(now)
        tries += 1
        if place is not None:
            break
        flow.sent(stored(0), now)
        flow.sent(stored(1), now)
    assert place == Place(1, 0)
    assert tries == TRIES + 1


def test_missing_is_answered_at_once_and_then_once_a_second() -> None:
    flow = begun()
    lacking = receipt(0, missing=((1, 1),))
    assert list(flow.wanted(lacking, 5.0)) == [(1, 1)]
    assert list(flow.wanted(lacking, 5.5)) == []
    assert list(flow.wanted(lacking, 6.0)) == [(1, 1)]


def test_over_quota_it_waits_and_halves_what_is_on_its_way() -> None:
    flow = begun(window=8, sent=8)
    over = receipt(-1, refused=(Refusal(first=0, last=7, code=Reason.QUOTA),))
    flow.receipt(over, 1.0)
    assert flow.credit == 4
    assert flow.room() == 0
    assert flow.deadline() == 2.0
    assert list(flow.wanted(receipt(-1, missing=((0, 0),)), 1.5)) == []
    assert flow.due(2.0) is None
    assert flow.cursor == BEGINNING
    for seq in range(4):
        assert flow.room() == 1
        flow.sent(stored(seq), 2.0)
    assert flow.room() == 0
    flow.receipt(over, 2.1)
    assert flow.deadline() == 4.1  # the second pause is twice as long


def test_the_credit_is_what_the_cloud_says() -> None:
    flow = begun(window=64, sent=0)
    flow.receipt(receipt(-1, credit=10), 0.0)
    flow.sent(stored(0, samples=9), 0.0)
    assert flow.room() == 1
    flow.sent(stored(9, samples=9), 0.0)
    assert flow.room() == 0


def test_only_permanent_refusals_above_the_watermark_are_given_up() -> None:
    refused = (
        Refusal(first=0, last=3, code=Reason.WRONG_TYPE),
        Refusal(first=4, last=5, code=Reason.QUOTA),
        Refusal(first=6, last=7, code=Reason.TOO_LARGE),
    )
    assert permanent(receipt(3, refused=refused)) == [(6, 7, "too-large")]


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_lost_on_the_way_everything_arrives(data: st.DataObject) -> None:
    """A lossy wire and a cloud that answers now and then: the flow must end with all taken."""
    total = data.draw(st.integers(1, 30))
    flow = Flow("live", data.draw(st.integers(1, 8)))
    flow.begin(0.0)
    now, taken, hwm = 0.0, set[int](), -1
    chances = data.draw(st.lists(st.booleans(), min_size=200, max_size=200))
    chance = iter(chances)
    for _ in range(5000):
        if hwm == total - 1:
            break
        for _ in range(flow.room()):
            nxt = hwm + 1 if flow.cursor == BEGINNING else flow.cursor.seq + 1
            if nxt >= total:
                break
            flow.sent(stored(nxt), now)
            if next(chance, True):
                taken.add(nxt)
        while hwm + 1 in taken:
            hwm += 1
        now += 0.25
        if next(chance, True):
            flow.receipt(receipt(hwm), now)
        assert flow.in_flight <= 8
        place = flow.due(now)
        if place is not None:  # set aside and declared: the cloud counts it as accounted for
            taken.add(place.seq)
    assert hwm == total - 1
