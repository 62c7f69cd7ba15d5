"""The live stream shows a customer what is theirs, and ends when they may no longer listen."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from fastapi import Request

from cloud.accounts.values import Principal, Reach, Role
from cloud.api.deps import admit, welcome
from cloud.api.events import _shower, _stream, router
from cloud.live import EVENTS, Change, Live
from models.assessment import Assessment, State
from tests.cloud.api.plant import T0, Opened, Plant

CUSTOMER = Principal(account="1", name="li", role=Role.CUSTOMER, reach=Reach(customer="acme"))
PLANNER = Principal(account="2", name="chen", role=Role.PLANNER)


def assessed(machine: str) -> Assessment:
    return Assessment(
        machine=machine, at_ns=T0, n=1, state=State.NORMAL, score=0.0, health=99.0, coverage=1.0
    )


@pytest.fixture
def live(plant: Plant) -> Live:
    for machine in ("acme.a", "beta.b"):
        plant.register(machine)
    found = Live(plant.ledger, lambda: plant.clock[0])
    found.heard((), [assessed("acme.a"), assessed("beta.b")])
    return found


def changes() -> tuple[Change, ...]:
    found = [
        Change(subject=subject, subject_id=f"{machine}-{subject}", machine=machine, type="opened")
        for machine in ("acme.a", "beta.b")
        for subject in ("machine", "ticket", "advisory")
    ]
    account = Change(subject="account", subject_id="someone", machine=None, type="added")
    return (*found, account)


async def stays() -> bool:
    return True


async def heard(opened: Opened, live: Live, who: Principal) -> str:
    """Return what somebody hears of one message, live and after a cut."""
    deps = opened.app(live=live).state.deps.of(who)

    stream: AsyncIterator[bytes] = _stream(deps, live, frozenset(), None, stays)
    said = [await anext(stream)]
    live.hand_out(changes())
    said.append(await anext(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    again = _stream(deps, live, frozenset(), live.place(0), stays)
    said += [await anext(again), await anext(again)]
    await again.aclose()  # type: ignore[attr-defined]
    return b"".join(said).decode()


async def test_a_customer_hears_of_their_machines_and_tickets(opened: Opened, live: Live) -> None:
    said = await heard(opened, live, CUSTOMER)
    assert said.count("acme.a-ticket") == 2
    assert said.count('"machine":"acme.a","state"') == 2
    for secret in ("beta.b", "someone", "advisory"):
        assert secret not in said


async def test_staff_hear_of_everything(opened: Opened, live: Live) -> None:
    said = await heard(opened, live, PLANNER)
    assert said.count("beta.b-advisory") == 2


async def test_what_was_missed_is_not_pushed_again_and_nothing_goes_back(
    opened: Opened, live: Live
) -> None:
    deps = opened.app(live=live).state.deps.of(PLANNER)

    live.hand_out(changes())
    stream = _stream(deps, live, frozenset(), live.place(0), stays)
    hello = await anext(stream)
    assert f"id: {live.place(0)}\n" in hello.decode()  # a cut here loses nothing
    later = Change(subject="ticket", subject_id="later", machine="acme.a", type="opened")
    live.hand_out((later,))
    said = [(await anext(stream)).decode() for _ in range(2)]
    assert [text.count("later") for text in said] == [0, 1]
    assert [text.partition("\n")[0] for text in said] == [f"id: {live.place(n)}" for n in (1, 2)]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_message_that_leaves_changes_out_is_followed_by_a_reset(
    opened: Opened, live: Live
) -> None:
    deps = opened.app(live=live).state.deps.of(PLANNER)

    stream = _stream(deps, live, frozenset(), None, stays)
    await anext(stream)
    live.hand_out(changes() * EVENTS)
    live.hand_out(changes())
    said = [(await anext(stream)).decode() for _ in range(3)]
    kinds = [text.partition("event: ")[2].partition("\n")[0] for text in said]
    assert kinds == ["changes", "reset", "changes"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_machine_is_looked_up_once_for_all_who_watch_until_it_changes(
    opened: Opened, live: Live
) -> None:
    live.hand_out(())
    deps = opened.app(live=live).state.deps.of(PLANNER)
    made, _ = _shower(deps, live)
    missed = live.since(live.place(0))
    assert missed is not None
    assert len(missed) == 1
    made(missed[0])
    assert live.profiles == {"acme.a": "press", "beta.b": "press"}
    live.hand_out((Change(subject="machine", subject_id="acme.a", machine="acme.a", type="x"),))
    assert live.profiles == {"beta.b": "press"}


async def test_the_stream_ends_with_the_sign_in(opened: Opened, live: Live) -> None:
    deps = opened.app(live=live).state.deps.of(PLANNER)
    allowed = [True]

    async def stays() -> bool:
        return allowed[0]

    stream = _stream(deps, live, frozenset(), None, stays)
    await anext(stream)
    live.hand_out(changes())
    assert b"changes" in await anext(stream)
    allowed[0] = False
    live.heard((), [assessed("acme.a")])
    live.hand_out(())
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize("change", [{"customer": "beta"}, {"sites": ("north",)}, {"active": False}])
async def test_the_stream_ends_when_what_somebody_sees_changes(
    opened: Opened, live: Live, change: dict[str, object]
) -> None:
    account, _, secret = opened.plant.person(Role.CUSTOMER, customer="acme")
    app = opened.app(live=live)
    (route,) = router.routes
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    request = Request(
        {"type": "http", "scheme": "http", "app": app, "route": route, "headers": headers}
    )
    deps = admit(request)

    async def stays() -> bool:
        return welcome(request, deps)

    stream = _stream(deps, live, frozenset(), None, stays)
    await anext(stream)
    live.hand_out(changes())
    assert b"acme.a-ticket" in await anext(stream)
    changed = msgspec.structs.replace(account, **change)
    opened.plant.ledger.account_change(changed, account.version, actor="test")
    live.heard((), [assessed("acme.a")])
    live.hand_out(())
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
