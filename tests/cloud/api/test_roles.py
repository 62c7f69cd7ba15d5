"""Every route as every role, and no customer sees another's: generated from the description."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove

from cloud.accounts.values import Role, Scope
from cloud.api.access import RULES
from tests.cloud.api.plant import SECOND, T0, Opened, Plant

Data = st.DataObject
ENDLESS = "/api/v1/events"
BODIES: dict[str, dict[str, Any]] = {
    "Deferral": {"until": "2030-01-01T00:00:00Z"},
    "Shelving": {"reason": "known"},
    "Rejection": {"reason": "known"},
    "Note": {"text": "x"},
    "Comment": {"text": "x"},
    "Reason": {"note": "x"},
    "Closing": {"confirmed": True},
    "Resolution": {"verdict": "confirmed"},
    "Placement": {"customer": "acme"},
    "SigningIn": {"name": "nobody", "password": "nothing at all"},
    "PasswordChange": {"present": "x", "new": "a long enough one"},
    "Invitation": {"name": "somebody", "role": "planner"},
    "UserChange": {"role": "planner"},
    "TokenWish": {"name": "x"},
}


@dataclass
class Operation:
    """One operation of the description."""

    path: str
    method: str
    said: dict[str, Any]

    @property
    def body(self) -> dict[str, Any] | None:
        """A body that is right."""
        if "requestBody" not in self.said:
            return None
        schema = self.said["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        return BODIES.get(schema.rpartition("/")[2], {})

    def parameters(self) -> list[str]:
        """Return the names of the query that it takes."""
        return [one["name"] for one in self.said.get("parameters", ()) if one["in"] == "query"]

    async def call(
        self, client: httpx.AsyncClient, ids: dict[str, str], query: str = "", **headers: str
    ) -> httpx.Response:
        """Call it with these ids in its path."""
        address = self.path
        for name, value in ids.items():
            address = address.replace(f"{{{name}}}", quote(value, safe=":"))
        headers = {"If-Match": "*", "Content-Type": "application/json", **headers}
        return await client.request(self.method, address + query, json=self.body, headers=headers)


@dataclass
class Town:
    """Two customers, each with a machine, an advisory and a ticket; people of every role."""

    ids: dict[str, dict[str, str]]
    secrets: dict[str, str]
    marks: list[str]


@pytest.fixture
def operations(opened: Opened) -> list[Operation]:
    paths = opened.app().openapi()["paths"].items()
    return [
        Operation(path, method, said)
        for path, methods in paths
        for method, said in methods.items()
        if path != ENDLESS
    ]


@pytest.fixture
def town(plant: Plant) -> Town:
    ids: dict[str, dict[str, str]] = {}
    secrets: dict[str, str] = {}
    for customer in ("acme", "beta"):
        machine = f"{customer}.m"
        plant.register(machine, name=f"{customer}s-machine")
        plant.store(machine, "pressure", [T0, T0 + SECOND], [1.0, 2.0])
        plant.find(machine, "pressure")
        plant.find(machine, "axis/x")
        (ticket,) = plant.ledger.tickets(machine=machine)[0]
        other = [a for a in plant.ledger.advisories(machine=machine)[0] if not a.ticket_id]
        account, token, secrets[customer] = plant.person(
            Role.CUSTOMER, customer=customer, full_name=f"{customer}s-person"
        )
        ids[customer] = {
            "machine": machine,
            "ticket": ticket.id,
            "advisory": other[0].id,
            "token": token.id,
            "user": account.id,
            "profile": "press",
            "channel": "log",
            "item": "none",
        }
    for role in Role:
        more: dict[str, Any] = {"customer": "acme"} if role is Role.CUSTOMER else {}
        secrets[role] = plant.person(role, **more)[2]
    beta = ids["beta"]
    marks = ["betas-", *(beta[name] for name in ("machine", "ticket", "advisory", "token", "user"))]
    return Town(ids, secrets, marks)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def on_loop() -> Iterator[list[str]]:
    """Return the statements that were run on the thread of the event loop."""
    found: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            found.append(statement)

    listen(Engine, "before_cursor_execute", seen)
    yield found
    remove(Engine, "before_cursor_execute", seen)


async def test_every_route_as_every_role(
    api: httpx.AsyncClient, operations: list[Operation], town: Town, on_loop: list[str]
) -> None:
    tried = 0
    for operation in operations:
        roles = operation.said["x-roles"]
        stranger = await operation.call(api, town.ids["acme"])
        if roles == ["everybody"]:
            assert stranger.status_code != 403, operation
        else:
            assert stranger.status_code == 401, operation
            assert stranger.json()["type"] == "urn:forewarn:problem:sign-in-needed"
        for role in Role:
            answer = await operation.call(api, town.ids["acme"], **bearer(town.secrets[role]))
            tried += 1
            if role in roles or roles == ["everybody"]:
                kind = answer.json()["type"] if answer.status_code in (401, 403) else None
                fine = operation.path in ("/api/v1/session", "/api/v1/me/password")  # no password
                assert kind is None or fine, (operation, role, answer.text)
            else:
                assert answer.status_code == 403, (operation, role)
                assert answer.json()["type"] == "urn:forewarn:problem:forbidden"
    assert tried == len(operations) * len(Role)
    assert on_loop == []  # a busy ledger must not hold up everybody else


async def test_every_route_with_every_scope(
    api: httpx.AsyncClient, operations: list[Operation], town: Town, plant: Plant
) -> None:
    order = list(Scope)
    for scope in order:
        _, _, secret = plant.person(Role.ADMINISTRATOR, scope=scope)
        for operation in operations:
            needed = operation.said.get("x-scope")
            if needed is None or operation.path == "/api/v1/me/password":
                continue
            answer = await operation.call(api, town.ids["acme"], **bearer(secret))
            narrow = order.index(scope) < order.index(Scope(needed))
            assert (answer.status_code == 403) is narrow, (operation, scope, answer.text)


def test_every_route_says_who_may_call_it(operations: list[Operation], opened: Opened) -> None:
    names = {operation.said["operationId"] for operation in operations}
    assert names <= set(RULES)
    assert all("x-roles" in operation.said for operation in operations)


async def test_what_is_not_yours_is_not_there(
    api: httpx.AsyncClient, operations: list[Operation], town: Town, plant: Plant
) -> None:
    mine = bearer(town.secrets["acme"])
    before = plant.ledger.events(limit=1000)[0]
    seen = 0
    for operation in operations:
        allowed = "customer" in operation.said["x-roles"]
        named = "{" in operation.path and operation.path != "/api/v1/profiles/{profile}"
        if not (allowed and named):
            continue
        query = "?signal=pressure" if "signal" in operation.parameters() else ""
        foreign = await operation.call(api, town.ids["beta"], query, **mine)
        nowhere = dict.fromkeys(town.ids["beta"], "none")
        missing = await operation.call(api, nowhere, query, **mine)
        assert (foreign.status_code, missing.status_code) == (404, 404), operation
        assert foreign.json()["type"] == missing.json()["type"]
        own = await operation.call(api, town.ids["acme"], query, **mine)
        assert own.status_code in (200, 201, 409), (operation, own.text)
        seen += 1
    assert seen >= 15
    after = plant.ledger.events(limit=1000)[0]
    assert not [e for e in after[len(before) :] if e.machine == "beta.m"]


async def test_lists_show_a_customer_what_is_theirs(
    api: httpx.AsyncClient, operations: list[Operation], town: Town
) -> None:
    mine = bearer(town.secrets["acme"])
    for operation in operations:
        if operation.method != "get" or "{" in operation.path:
            continue
        answer = await operation.call(api, {}, **mine)
        assert not [mark for mark in town.marks if mark in answer.text], operation
    (machine,) = (await api.get("/api/v1/machines", headers=mine)).json()["items"]
    assert (machine["id"], machine["customer"], machine["site"]) == ("acme.m", "acme", None)
    (row,) = (await api.get("/api/v1/board", headers=mine)).json()["items"]
    assert row["advisory"] is None  # a customer hears of it when there is a ticket
    assert row["ticket"]["id"] == town.ids["acme"]["ticket"]


@pytest.fixture
async def cursors(api: httpx.AsyncClient, town: Town) -> list[str]:
    """Cursors of pages that an administrator was given."""
    who = bearer(town.secrets[Role.ADMINISTRATOR])
    found = []
    for noun in ("machines", "tickets", "advisories"):
        page = (await api.get(f"/api/v1/{noun}?limit=1", headers=who)).json()
        found.append(page["next"].partition("after=")[2])
    return found


async def look(
    api: httpx.AsyncClient, operations: list[Operation], town: Town, more: list[str], data: Data
) -> None:
    """Make a request of a customer; nothing of another's may be in the answer."""
    operation = data.draw(st.sampled_from([one for one in operations if one.method == "get"]))
    theirs, mine = town.ids["beta"].values(), town.ids["acme"].values()
    word = st.sampled_from([*theirs, *mine, *more, "1", "50", "new", "pressure"])
    ids = {name: data.draw(word) for name in town.ids["beta"]}
    taken = operation.parameters()
    pairs = (
        data.draw(st.lists(st.tuples(st.sampled_from(taken), word), max_size=4)) if taken else []
    )
    query = "?" + "&".join(f"{name}={quote(value)}" for name, value in pairs)
    whose = data.draw(st.sampled_from(["acme", Role.CUSTOMER]))
    answer = await operation.call(api, ids, query, **bearer(town.secrets[whose]))
    assert answer.status_code < 500
    if answer.status_code < 400:
        assert not [mark for mark in town.marks if mark in answer.text]


def so_many(requests: int) -> settings:
    return settings(
        max_examples=requests,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@so_many(500)
@given(data=st.data())
async def test_no_request_of_a_customer_shows_anothers_things(
    api: httpx.AsyncClient,
    operations: list[Operation],
    town: Town,
    cursors: list[str],
    data: Data,
) -> None:
    await look(api, operations, town, cursors, data)


@pytest.mark.long
@so_many(100_000)
@given(data=st.data())
async def test_nor_do_a_hundred_thousand(
    api: httpx.AsyncClient,
    operations: list[Operation],
    town: Town,
    cursors: list[str],
    data: Data,
) -> None:
    await look(api, operations, town, cursors, data)


async def test_a_machine_that_is_placed_elsewhere_changes_hands(
    api: httpx.AsyncClient, town: Town
) -> None:
    planner = bearer(town.secrets[Role.PLANNER])
    site = {"customer": "beta", "site": "north"}
    given_ = await api.post(
        "/api/v1/machines/acme.m/site", json=site, headers={**planner, "If-Match": '"0"'}
    )
    assert given_.json() == {"machine": "acme.m", **site}
    stale = await api.post(
        "/api/v1/machines/acme.m/site", json=site, headers={**planner, "If-Match": '"0"'}
    )
    assert stale.status_code == 412
    seen = {
        customer: [
            one["id"]
            for one in (
                await api.get("/api/v1/machines", headers=bearer(town.secrets[customer]))
            ).json()["items"]
        ]
        for customer in ("acme", "beta")
    }
    assert seen == {"acme": [], "beta": ["acme.m", "beta.m"]}


async def test_a_person_of_one_site_sees_that_site(
    api: httpx.AsyncClient, town: Town, plant: Plant
) -> None:
    _, _, secret = plant.person(Role.CUSTOMER, customer="acme", sites=("north",))
    plant.register("acme.n")
    plant.ledger.site_set("acme.n", 0, customer="acme", site="north", actor="test")
    found = await api.get("/api/v1/machines", headers=bearer(secret))
    assert [one["id"] for one in found.json()["items"]] == ["acme.n"]
    assert (await api.get("/api/v1/machines/acme.m", headers=bearer(secret))).status_code == 404


async def test_what_is_internal_stays_with_the_staff(api: httpx.AsyncClient, town: Town) -> None:
    planner, customer = bearer(town.secrets[Role.PLANNER]), bearer(town.secrets["acme"])
    path = f"/api/v1/tickets/{town.ids['acme']['ticket']}"
    for text, internal in (("for everybody", False), ("bearing was cheap", True)):
        body = {"text": text, "internal": internal}
        assert (await api.post(f"{path}/comments", json=body, headers=planner)).status_code == 201
    shown = [
        [
            one["detail"].get("text")
            for one in (await api.get(f"{path}/history", headers=who)).json()["items"]
        ]
        for who in (planner, customer)
    ]
    assert "bearing was cheap" in shown[0]
    assert "bearing was cheap" not in shown[1]
    assert "for everybody" in shown[1]
    refused = await api.post(
        f"{path}/comments", json={"text": "x", "internal": True}, headers=customer
    )
    assert refused.status_code == 422


READ_MODEL = (
    "id", "role", "tenant", "customer", "authority", "version", "recorded", "state", "machine",
    "number", "assignee", "acknowledged", "decided_by", "verdict", "password", "hash", "scope",
    "active", "sites", "account", "expires",
)  # fmt: skip


async def test_no_field_that_is_not_asked_for_is_taken(
    api: httpx.AsyncClient, operations: list[Operation], town: Town, opened: Opened
) -> None:
    shapes = opened.app().openapi()["components"]["schemas"]
    who = bearer(town.secrets[Role.ADMINISTRATOR])
    tried = 0
    for operation in operations:
        if operation.body is None:
            continue
        ref = operation.said["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        known = set(shapes[ref.rpartition("/")[2]].get("properties", {}))
        for name in set(READ_MODEL) - known:
            address = operation.path.format(**town.ids["acme"])
            content = {**operation.body, name: "administrator"}
            headers = {**who, "If-Match": "*"}
            answer = await api.request("POST", address, json=content, headers=headers)
            assert answer.status_code == 422, (operation, name, answer.text)
            tried += 1
    assert tried > 400
