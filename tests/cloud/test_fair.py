"""A queue that one sender cannot fill for the others."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from cloud.fair import TURN, FairQueue


@given(
    sent=st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=200),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=20),
)
def test_everything_comes_out_once_each_sender_in_its_order(
    sent: list[tuple[str, int]], sizes: list[int]
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue(1000, 1000)
    for sender, value in sent:
        assert queue.put([(sender, (sender, value), 1)], 0)
    out: list[tuple[str, int]] = []
    while len(queue):
        taken = queue.take(sizes[len(out) % len(sizes)], 0)
        assert taken
        out += taken
    for sender in "abc":
        assert [x for x in out if x[0] == sender] == [x for x in sent if x[0] == sender]


def test_a_flood_does_not_keep_another_waiting() -> None:
    queue: FairQueue[str] = FairQueue(5000, 5000)
    for _ in range(4000):
        queue.put([("flood", "f", 1)], 0)
    queue.put([("quiet", "q", 1)], 0)
    assert "q" in queue.take(TURN + 1, 0)


def test_a_group_gathers_until_it_is_whole_or_there_is_no_more_room() -> None:
    for most, room in ((5, 100), (50, 5)):
        queue: FairQueue[int] = FairQueue(room, 10**6)
        with ThreadPoolExecutor(1) as pool:
            taken = pool.submit(queue.take, most, 60, 60, 60)
            for value in range(5):
                assert queue.put([("a", value, 1)], 60)
            assert taken.result(120) == [0, 1, 2, 3, 4]


def test_a_full_queue_holds_the_sender_back_until_there_is_room() -> None:
    queue: FairQueue[int] = FairQueue(2, 9)
    assert queue.put([("a", 1, 1)], 0)
    assert queue.put([("a", 2, 1)], 0)
    assert not queue.put([("b", 3, 1)], 0)
    put = threading.Thread(target=queue.put, args=([("b", 3, 1)], 120))
    put.start()
    assert queue.take(1, 0) == [1]
    put.join(120)
    assert queue.take(9, 0) == [2, 3]


def test_the_taker_waits_for_the_first_item() -> None:
    queue: FairQueue[int] = FairQueue(2, 9)
    assert queue.take(1, 0) == []
    put = threading.Timer(0.01, queue.put, ([("a", 1, 1)], 0))
    put.start()
    assert queue.take(1, 120) == [1]


def test_the_taker_is_woken_and_a_word_before_it_waits_counts() -> None:
    queue: FairQueue[int] = FairQueue(2, 9)
    queue.wake()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(queue.take, 1, 3600).result(120) == []
        waiting = pool.submit(queue.take, 1, 3600)
        queue.wake()
        assert waiting.result(120) == []
    assert queue.take(1, 0) == []


def test_bytes_are_bounded_too() -> None:
    queue: FairQueue[int] = FairQueue(100, 10)
    assert queue.put([("a", 1, 50)], 0), "one always fits"
    assert not queue.put([("b", 2, 1)], 0)
    assert queue.take(9, 0) == [1]
    assert queue.put([("b", 2, 1)], 0)


def test_of_several_at_once_those_that_have_room_are_in() -> None:
    queue: FairQueue[int] = FairQueue(3, 10)
    items = [("a", 1, 1), ("b", 2, 1), ("a", 3, 20), ("a", 4, 1)]
    assert queue.put(items, 0) == 3
    assert queue.put(items[3:], 0) == 0
    assert queue.take(9, 0) == [1, 3, 2]
    assert queue.put(items[3:], 0) == 1
