from typing import Any

import httpx
import pytest

from tests.cloud.api.plant import SECOND, T0, Plant, every


@pytest.fixture
async def advisory(api: httpx.AsyncClient, plant: Plant) -> dict[str, Any]:
    """One open advisory."""
    plant.register("acme.a")
    plant.find("acme.a", "axis/x")
    found: dict[str, Any]
    (found,) = (await api.get("/api/v1/advisories?state=open")).json()["items"]
    return found


async def decide(
    api: httpx.AsyncClient, advisory: dict[str, Any], name: str, **body: Any
) -> httpx.Response:
    path = f"/api/v1/advisories/{advisory['id']}"
    etag = (await api.get(path)).headers["etag"]
    return await api.post(f"{path}/{name}", json=body, headers={"If-Match": etag})


async def test_accepting_makes_the_ticket(api: httpx.AsyncClient, advisory: dict[str, Any]) -> None:
    assert await every(api, "/api/v1/tickets") == []
    done = await decide(api, advisory, "accept", actor="chen")
    assert (done.json()["state"], done.json()["decided_by"]) == ("accepted", "chen")
    (ticket,) = await every(api, "/api/v1/tickets")
    assert done.json()["ticket_id"] == ticket["id"]
    again = await decide(api, advisory, "accept")
    assert again.status_code == 409
    assert len(await every(api, "/api/v1/tickets")) == 1


async def test_deferring_until_a_time(api: httpx.AsyncClient, advisory: dict[str, Any]) -> None:
    wrong = await decide(api, advisory, "defer", until="tomorrow")
    assert wrong.json()["errors"][0]["pointer"] == "/until"
    done = await decide(api, advisory, "defer", until="2030-01-01T08:00:00+08:00", reason="busy")
    assert (done.json()["state"], done.json()["defer_until"]) == (
        "deferred",
        "2030-01-01T00:00:00Z",
    )


async def test_rejecting_needs_a_reason(api: httpx.AsyncClient, advisory: dict[str, Any]) -> None:
    wrong = await decide(api, advisory, "reject")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/reason")
    done = await decide(api, advisory, "reject", reason="test run")
    assert (done.json()["state"], done.json()["reason"]) == ("rejected", "test run")


async def test_evidence_is_in_the_signals_unit_and_time(
    api: httpx.AsyncClient, advisory: dict[str, Any]
) -> None:
    found = (await api.get(f"/api/v1/advisories/{advisory['id']}/evidence")).json()["items"]
    assert [(one["signal"], one["value"], one["since"]) for one in found] == [
        ("axis/x", 1.5, "2023-11-14T22:13:20Z")
    ]


async def test_lists_each_once_newest_first(api: httpx.AsyncClient, plant: Plant) -> None:
    for i in range(5):
        plant.register(f"acme.p{i}", "data")
        plant.find(f"acme.p{i}", "axis/x", T0 + i * SECOND)
    found = await every(api, "/api/v1/advisories?limit=2&state=open")
    assert [one["machine"] for one in found] == [f"acme.p{i}" for i in reversed(range(5))]
    assert {one["clock"] for one in found} == {"data"}


async def test_unknown_ones_are_problems(api: httpx.AsyncClient) -> None:
    for path in ("", "/evidence"):
        answer = await api.get(f"/api/v1/advisories/nothing{path}")
        assert answer.status_code == 404


async def test_shelving_needs_a_reason_and_ends_when_it_gets_worse(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    plant.find("acme.a", "axis/x", severity=2)
    (advisory,) = await every(api, "/api/v1/advisories?state=open")
    assert (await decide(api, advisory, "shelve")).json()["errors"][0]["pointer"] == "/reason"
    done = (await decide(api, advisory, "shelve", reason="known, harmless")).json()
    assert (done["state"], done["defer_until"], done["reason"]) == (
        "deferred",
        None,
        "known, harmless",
    )
    plant.clock[0] += 60 * 86_400 * SECOND
    assert await every(api, "/api/v1/advisories?state=open") == []
    plant.find("acme.a", "axis/x", T0 + SECOND, severity=3)
    (again,) = await every(api, "/api/v1/advisories?state=open")
    assert again["id"] == advisory["id"]


async def test_looking_into_it_decides_nothing(
    api: httpx.AsyncClient, advisory: dict[str, Any]
) -> None:
    seen = (await decide(api, advisory, "acknowledge", actor="chen")).json()
    assert (seen["state"], seen["acknowledged_by"]) == ("open", "chen")
    done = await decide(api, advisory, "reject", reason="test run")
    assert done.json()["acknowledged_by"] == "chen"
    late = await decide(api, advisory, "acknowledge")
    assert late.status_code == 409


async def test_remarks_are_in_the_history(api: httpx.AsyncClient, advisory: dict[str, Any]) -> None:
    path = f"/api/v1/advisories/{advisory['id']}"
    added = await api.post(f"{path}/notes", json={"text": "heard it too", "actor": "li"})
    assert added.status_code == 201
    history = await every(api, f"{path}/history")
    assert [(one["actor"], one["detail"].get("text")) for one in history][-1] == (
        "li",
        "heard it too",
    )
    assert (await api.post(f"{path}/notes", json={"text": " "})).status_code == 422


async def test_what_was_put_away_is_counted(
    api: httpx.AsyncClient, plant: Plant, advisory: dict[str, Any]
) -> None:
    plant.register("acme.b")
    plant.find("acme.b", "axis/x")
    await decide(api, advisory, "shelve", reason="known")
    states = (await api.get("/api/v1/advisories/counts")).json()["states"]
    assert (states["open"], states["deferred"], states["shadow"]) == (1, 1, 0)
