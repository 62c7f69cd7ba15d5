import asyncio
from functools import partial
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from cloud.accounts.values import Role
from cloud.glance import Glance
from cloud.ledger import Verdict
from cloud.ledger.records import Clock
from cloud.live import Live
from models.assessment import Life
from models.profile import Limits
from tests.cloud.api.plant import BASE, PRESS, SECOND, T0, Opened, Plant, every

DAY_S = 86_400


@pytest.fixture
async def ticket(api: httpx.AsyncClient, plant: Plant) -> dict[str, Any]:
    """One new ticket."""
    plant.register("acme.a", "data")
    plant.find("acme.a", "pressure")
    found: dict[str, Any]
    (found,) = (await api.get("/api/v1/tickets")).json()["items"]
    assert found["state"] == "new"
    return found


async def step(
    api: httpx.AsyncClient, ticket: dict[str, Any], name: str, etag: str = '"1"', **body: Any
) -> httpx.Response:
    path = f"/api/v1/tickets/{ticket['id']}/{name}"
    return await api.post(path, json=body, headers={"If-Match": etag})


async def test_from_new_to_closed(
    api: httpx.AsyncClient, plant: Plant, ticket: dict[str, Any]
) -> None:
    assert ticket["title"] == {"en": "Seal leaks", "zh": "密封泄漏"}
    assert (ticket["clock"], ticket["opened"], ticket["part"]) == (
        "data",
        "2023-11-14T22:13:20Z",
        "S-1",
    )
    taken = await step(api, ticket, "acknowledge", actor="li")
    assert taken.status_code == 200
    assert (taken.json()["state"], taken.json()["assignee"]) == ("in_progress", "li")
    done = await step(
        api,
        ticket,
        "resolve",
        taken.headers["etag"],
        verdict="confirmed",
        as_found="torn seal",
        replaced="seal",
        actor="li",
    )
    assert (done.json()["state"], done.json()["verdict"]) == ("resolved", "confirmed")
    assert plant.repaired == [("acme.a", "seal")]
    closed = await step(api, ticket, "close", done.headers["etag"], confirmed=True)
    assert closed.json()["state"] == "closed_confirmed"
    again = await api.get(f"/api/v1/tickets/{ticket['id']}")
    assert again.json() == closed.json()
    assert again.headers["etag"] == closed.headers["etag"]
    history = await every(api, f"/api/v1/tickets/{ticket['id']}/history?limit=1")
    assert [event["actor"] for event in history][-3:] == ["li", "li", "local"]


async def test_a_resolution_without_a_new_part_restarts_nothing(
    api: httpx.AsyncClient, plant: Plant, ticket: dict[str, Any]
) -> None:
    done = await step(api, ticket, "resolve", verdict="no_fault_found")
    assert done.status_code == 200
    assert plant.repaired == []


async def test_reopen_and_cancel_need_a_reason(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    done = await step(api, ticket, "resolve", verdict="inconclusive")
    refused = await step(api, ticket, "reopen", done.headers["etag"])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/note"
    opened = await step(api, ticket, "reopen", done.headers["etag"], note="it drips again")
    assert opened.json()["state"] == "in_progress"
    ended = await step(api, ticket, "cancel", opened.headers["etag"], note="press sold")
    assert ended.json()["state"] == "cancelled"


async def test_a_write_needs_the_version_that_was_seen(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/acknowledge"
    without = await api.post(path, json={})
    assert (without.status_code, without.json()["type"]) == (
        428,
        "urn:forewarn:problem:version-needed",
    )
    for etag in ('"2"', 'W/"1"', "1", '"x"', ""):
        stale = await step(api, ticket, "acknowledge", etag)
        assert stale.status_code == 412, etag
    assert (await step(api, ticket, "acknowledge", '"7", "1"')).status_code == 200
    assert (await step(api, ticket, "resolve", "*", verdict="confirmed")).status_code == 200


async def test_a_step_that_the_state_forbids_is_a_conflict(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    refused = await step(api, ticket, "close", confirmed=True)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:forewarn:problem:conflict")
    assert "acknowledge" in refused.json()["detail"]


async def test_of_two_who_saw_the_same_version_one_acts(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    answers = await asyncio.gather(
        *(step(api, ticket, "acknowledge", actor=who) for who in ("li", "wang", "zhao"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


async def test_an_unchanged_ticket_is_not_sent_again(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}"
    for known, status in (('"1"', 304), ('W/"1"', 304), ("*", 200), ('"2"', 200)):
        answer = await api.get(path, headers={"If-None-Match": known})
        assert answer.status_code == status, known


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/verdict"),
        ({"verdict": "broken"}, "/verdict"),
        ({"verdict": 3}, "/verdict"),
        ({"verdict": "confirmed", "colour": "red"}, "/colour"),
        ({"verdict": "confirmed", "replaced": "wheel"}, "/replaced"),
        ({"verdict": "confirmed", "note": ""}, "/note"),
        ({"verdict": "confirmed", "note": "a\x00b"}, "/note"),
        ({"verdict": "confirmed", "actor": "x" * 101}, "/actor"),
        ({"verdict": "confirmed", "actor": "Policy"}, "/actor"),
        ([], ""),
    ],
)
async def test_a_wrong_body_says_where(
    api: httpx.AsyncClient, ticket: dict[str, Any], body: Any, pointer: str
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/resolve"
    answer = await api.post(path, json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    (one,) = answer.json()["errors"]
    assert (one["in"], one["pointer"]) == ("body", pointer)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a":NaN}', b"[" * 100_000])
async def test_what_is_not_json_is_a_problem(
    api: httpx.AsyncClient, ticket: dict[str, Any], content: bytes
) -> None:
    answer = await api.post(
        f"/api/v1/tickets/{ticket['id']}/resolve",
        content=content,
        headers={"If-Match": '"1"', "Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_comment_sent_again_is_added_once(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/comments"
    key = {"Idempotency-Key": "from-the-phone-1"}
    answers = [await api.post(path, json={"text": "on my way"}, headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.content for answer in answers}) == 1
    other = await api.post(path, json={"text": "later"}, headers=key)
    assert other.status_code == 422
    assert other.json()["errors"][0]["in"] == "header"
    await api.post(path, json={"text": "on my way"}, headers={"Idempotency-Key": "2"})
    history = await every(api, f"/api/v1/tickets/{ticket['id']}/history")
    said = [event["detail"]["text"] for event in history if "text" in event["detail"]]
    assert said == ["on my way", "on my way"]


async def test_a_step_sent_again_gets_the_first_answer(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/acknowledge"
    headers = {"If-Match": '"1"', "Idempotency-Key": "k"}
    first, second = [await api.post(path, json={}, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content


async def test_a_refused_request_may_be_mended_under_its_key(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/comments"
    key = {"Idempotency-Key": "k"}
    assert (await api.post(path, json={"text": " "}, headers=key)).status_code == 422
    assert (await api.post(path, json={"text": "x"}, headers=key)).status_code == 201


async def test_lists_by_machine_and_state_each_once(api: httpx.AsyncClient, plant: Plant) -> None:
    for i in range(7):
        plant.register(f"acme.p{i}")
        plant.find(f"acme.p{i}", "pressure", T0 + i * SECOND)
    found = await every(api, "/api/v1/tickets?limit=2")
    assert [one["machine"] for one in found] == [f"acme.p{i}" for i in reversed(range(7))]
    await step(api, found[0], "acknowledge")
    states = "state=in_progress&state=resolved"
    assert [t["machine"] for t in await every(api, f"/api/v1/tickets?{states}")] == ["acme.p6"]
    assert len(await every(api, "/api/v1/tickets?machine=acme.p3&limit=1")) == 1
    assert len(await every(api, "/api/v1/tickets?state=new&limit=1")) == 6


@pytest.mark.parametrize("name", ["", "/history"])
async def test_an_unknown_ticket_is_a_problem(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.get(f"/api/v1/tickets/nothing{name}")).status_code == 404


@pytest.mark.parametrize("name", ["acknowledge", "comments"])
async def test_a_step_of_an_unknown_ticket_is_a_problem(api: httpx.AsyncClient, name: str) -> None:
    body = {"text": "x"} if name == "comments" else {}
    answer = await step(api, {"id": "nothing"}, name, **body)
    assert answer.status_code == 404


async def test_an_answer_is_kept_over_a_restart_and_for_its_caller_alone(
    opened: Opened, ticket: dict[str, Any], plant: Plant
) -> None:
    path = f"/api/v1/tickets/{ticket['id']}/comments"
    key = {"Idempotency-Key": "k"}
    answers = []
    for _ in range(2):  # the second application knows only what is in the ledger
        transport = httpx.ASGITransport(opened.app())
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            answers.append(await client.post(path, json={"text": "x"}, headers=key))
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    _, _, secret = plant.person(Role.PLANNER)
    transport = httpx.ASGITransport(opened.app())
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        headers = {**key, "Authorization": f"Bearer {secret}"}
        other = await client.post(path, json={"text": "x"}, headers=headers)
    assert (other.status_code, other.content == answers[0].content) == (201, False)


def tell(plant: Plant, machine: str, value: float, days: float, at_ns: int) -> None:
    """Let the models say how a machine is now."""
    plant.n += 1
    (before,) = plant.ledger.assessments(machine, limit=1)[0]
    (condition,) = before.assessment.conditions
    life = Life(
        component="seal",
        mode="leak",
        basis="counter",
        p10_s=0.8 * days * DAY_S,
        p50_s=days * DAY_S,
        p90_s=1.3 * days * DAY_S,
        fraction=None,
    )
    now = replace(
        before.assessment,
        n=plant.n,
        at_ns=at_ns,
        conditions=(replace(condition, value=value, onset=False),),
        lives=(life,),
    )
    plant.ledger.file(plant.n, [now])


async def test_the_reasons_are_as_they_stand_now_until_it_is_done(
    api: httpx.AsyncClient,
    plant: Plant,
    ticket: dict[str, Any],
) -> None:
    told = partial(tell, plant, "acme.a")
    path = f"/api/v1/tickets/{ticket['id']}/why"
    told(1.4, 10.0, T0 + SECOND)
    told(1.2, 9.0, T0 + DAY_S * SECOND)
    said = (await api.get(path)).json()
    assert said["why"]["en"] == [
        "Pressure is 1.2 bar, at or below its limit of 2 bar; expected about 3 bar",
        "Seal: limit reached in 7.2 to 12 days, most likely 9",
        "The alarm sets the date, whatever the days left say: due within a day",
    ]
    assert (said["life"]["p50_s"], said["life_at"]) == (9.0 * DAY_S, "2023-11-15T22:13:20Z")
    plant.ledger.resolve(
        ticket["id"],
        plant.ledger.ticket(ticket["id"]).version,
        actor="li",
        verdict=Verdict.CONFIRMED,
    )
    told(2.5, 300.0, T0 + 2 * DAY_S * SECOND)
    after = (await api.get(path)).json()["why"]["en"]
    assert "Pressure is 1.5 bar" in after[0]


@pytest.mark.parametrize("clock", ["wall", "data"])
async def test_what_is_left_is_counted_from_the_present_of_the_machine(
    opened: Opened, plant: Plant, clock: Clock
) -> None:
    plant.register("acme.a", clock)
    plant.find("acme.a", "pressure")
    tell(plant, "acme.a", 1.2, 9.0, T0 + SECOND)
    live = Live(plant.ledger, lambda: plant.clock[0])
    live.remember(
        Glance(machine="acme.a", data_ns=T0 + (1 if clock == "data" else 30) * DAY_S * SECOND)
    )
    plant.clock[0] = T0 + (1 if clock == "wall" else 30) * DAY_S * SECOND
    transport = httpx.ASGITransport(opened.app(live=live))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        (ticket,) = (await client.get("/api/v1/tickets")).json()["items"]
        said = (await client.get(f"/api/v1/tickets/{ticket['id']}/why")).json()
    assert "Seal: limit reached in 6.2 to 11 days, most likely 8" in said["why"]["en"]
    assert said["life"]["p50_s"] == 9.0 * DAY_S


async def test_reasons_name_the_limit_that_is_passed_now(
    api: httpx.AsyncClient, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(alert_low=2.0, alarm_low=1.6)
    monkeypatch.setitem(
        PRESS.signals, "pressure", replace(PRESS.signals["pressure"], limits=limits)
    )
    plant.register("acme.a")
    plant.find("acme.a", "pressure", severity=3)
    ticket = plant.ledger.tickets()[0][0]
    before = plant.ledger.assessments("acme.a", limit=1)[0][0].assessment
    for value, severity, said in (
        (1.8, 3, "is 1.8 bar, at or below its limit of 2 bar"),
        (1.8, 2, "is 1.8 bar, at or below its limit of 2 bar"),
        (2.2, 2, "is 2.2 bar and was at or below its limit of 2 bar before"),
    ):
        plant.n += 1
        condition = replace(before.conditions[0], value=value, severity=severity, onset=False)
        now = replace(before, n=plant.n, at_ns=T0 + plant.n * SECOND, conditions=(condition,))
        plant.ledger.file(plant.n, [now])
        why = (await api.get(f"/api/v1/tickets/{ticket.id}/why")).json()["why"]["en"]
        assert why[0].startswith(f"Pressure {said}")
        proof = (await api.get(f"/api/v1/advisories/{ticket.advisory_id}/evidence")).json()
        assert (proof["items"][0]["value"], proof["items"][0]["severity"]) == (value, severity)
    monkeypatch.setattr("cloud.api.why.FORECASTS", 1)  # in which there are second looks alone
    plant.ledger.file(plant.n + 1, [replace(before, at_ns=now.at_ns, n=plant.n + 1, revision=1)])
    said = (await api.get(f"/api/v1/advisories/{ticket.advisory_id}/why")).json()["why"]["en"]
    assert said == why


async def test_a_wrong_word_is_answered_with_the_right_ones(
    api: httpx.AsyncClient, ticket: dict[str, Any]
) -> None:
    refused = await step(api, ticket, "resolve", verdict="yes")
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("body", "/verdict")
    assert fault["detail"].endswith("write one of confirmed, no_fault_found, inconclusive")
