import threading
from collections.abc import Callable

import pytest

from cloud.errors import NotFound, Refused
from cloud.ledger import Ledger, Reply
from cloud.ledger.replies import KEPT_NS
from tests.cloud.ledger.made import Clock, assess, high

REPLY = Reply(status=201, headers=(("etag", '"1"'), ("x", "ü")), body=b'{"a":\x00}')


def test_the_same_key_gets_the_first_reply_and_nothing_happens_again(
    ledger: Ledger, reopen: Callable[[], Ledger]
) -> None:
    done: list[int] = []

    def work() -> Reply:
        done.append(1)
        return REPLY

    assert ledger.once("k", "f", work) == REPLY
    assert reopen().once("k", "f", work) == REPLY  # a restart remembers
    assert ledger.once("other", "f", work) == REPLY
    assert done == [1, 1]
    with pytest.raises(Refused, match="another body"):
        ledger.once("k", "g", work)


def test_an_error_undoes_the_change_and_keeps_no_reply(ledger: Ledger) -> None:
    ledger.file(1, [assess(1, high())])
    (ticket,), _ = ledger.tickets()

    def half() -> Reply:
        ledger.acknowledge(ticket.id, ticket.version, actor="ann")
        raise NotFound("no such thing")

    with pytest.raises(NotFound):
        ledger.once("k", "f", half)
    assert ledger.ticket(ticket.id) == ticket

    def whole() -> Reply:
        ledger.acknowledge(ticket.id, ticket.version, actor="ann")
        return REPLY

    assert ledger.once("k", "f", whole) == REPLY
    assert ledger.ticket(ticket.id).version == ticket.version + 1


def test_alerts_are_called_for_after_the_commit(
    ledger: Ledger, reopen: Callable[[], Ledger]
) -> None:
    other = reopen()
    seen: list[int] = []
    ledger.on_alert(lambda: seen.append(len(other.tickets()[0])))

    def work() -> Reply:
        ledger.file(1, [assess(1, high())])
        assert seen == []
        return REPLY

    ledger.once("k", "f", work)
    assert seen == [1]


def _noting(done: list[str], name: str) -> Callable[[], Reply]:
    def work() -> Reply:
        done.append(name)
        return REPLY

    return work


def test_a_week_later_it_is_a_new_request(ledger: Ledger, clock: Clock) -> None:
    done: list[str] = []
    began = clock.now
    ledger.once("k", "f", _noting(done, "first"))
    ledger.forget_replies(began + KEPT_NS - 1_000_000)
    ledger.once("k", "f", _noting(done, "retry"))
    ledger.forget_replies(began + KEPT_NS + 2_000_000)
    ledger.once("k", "other body", _noting(done, "new"))
    assert done == ["first", "new"]


def test_a_clock_that_goes_years_ahead_and_back_does_nothing_twice(
    ledger: Ledger, clock: Clock
) -> None:
    done: list[str] = []
    began = clock.now
    ledger.once("k", "f", _noting(done, "first"))
    clock.now += 1000 * 86_400 * 10**9
    ledger.once("k", "f", _noting(done, "retry"))
    ledger.once("other", "f", _noting(done, "other"))
    clock.now = began
    ledger.once("k", "f", _noting(done, "retry"))
    assert done == ["first", "other"]


def test_only_the_newest_are_kept(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.ledger.replies.REPLIES", 3)
    done: list[str] = []
    for name in "abcdef":
        ledger.once(name, "f", _noting(done, name))
    ledger.once("f", "f", _noting(done, "again"))
    ledger.once("a", "f", _noting(done, "a"))
    assert done == [*"abcdef", "a"]


def test_two_at_once_are_done_once(ledger: Ledger) -> None:
    done: list[int] = []
    replies: list[Reply] = []

    def work() -> Reply:
        done.append(1)
        return REPLY

    threads = [
        threading.Thread(target=lambda: replies.append(ledger.once("k", "f", work)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [REPLY] * 4
    assert done == [1]
