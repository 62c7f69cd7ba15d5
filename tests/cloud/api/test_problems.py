import logging
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant

from cloud.accounts.values import Role
from cloud.api import parameters
from cloud.errors import StoreBusy, StoreCorrupt, StoreFull
from tests.cloud.api.plant import BASE, Opened


async def test_an_unknown_address(api: httpx.AsyncClient) -> None:
    for path in ("/api/v1", "/api/v1/machines/", "/docs", "/redoc", "/api/v1/machines/a/b"):
        answer = await api.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["status"], body["instance"]) == (404, path)


async def test_a_method_that_is_not_taken(api: httpx.AsyncClient) -> None:
    for method in ("DELETE", "PUT", "OPTIONS", "PATCH"):
        content = {"Content-Type": "application/json"}
        answer = await api.request(method, "/api/v1/machines", headers=content)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"
        assert answer.json()["type"] == "urn:forewarn:problem:method-not-allowed"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=many", "/limit"),
        ("state=happy", "/state"),
        ("after=x", "/after"),
        ("q=" + "x" * 201, "/q"),
    ],
)
async def test_wrong_queries(api: httpx.AsyncClient, query: str, pointer: str) -> None:
    answer = await api.get(f"/api/v1/machines?{query}")
    assert answer.status_code == 422
    body = answer.json()
    assert body["type"] == "urn:forewarn:problem:invalid"
    assert [(one["in"], one["pointer"]) for one in body["errors"]] == [("query", pointer)]


@pytest.mark.parametrize(
    ("address", "wrong", "advice"),
    [
        ("advisories?sate=open", ["sate"], "did you mean 'state'?"),
        ("advisories?severity=alarm", ["severity"], "there are after, limit, machine, state"),
        ("machines?limit=1&nope=2&nope=3", ["nope"], "there are after, limit, q, state"),
        ("machines?Q=a&State=online", ["Q", "State"], "did you mean 'state'?"),
        ("board?machine=acme.a", ["machine"], "this address takes none"),
        ("machines/acme.none?limit=1", ["limit"], "this address takes none"),
        ("advisories?machine=acme.a&machine=acme.b", ["machine"], "given more than once"),
        ("machines?q=a&limit=1&q=a&nope=1", ["nope", "q"], "given more than once"),
    ],
)
async def test_a_parameter_that_is_not_there_or_not_taken_twice(
    api: httpx.AsyncClient, address: str, wrong: list[str], advice: str
) -> None:
    answer = await api.get(f"/api/v1/{address}")
    assert answer.status_code == 422
    body = answer.json()
    assert body["type"] == "urn:forewarn:problem:invalid"
    assert [one["pointer"] for one in body["errors"]] == [f"/{name}" for name in wrong]
    assert advice in body["detail"]


async def test_a_list_is_given_once_for_each_of_its_values(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/advisories?state=open&state=deferred")).status_code == 200


async def test_what_an_address_takes_is_looked_for_once(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, lists = list[Dependant](), parameters._lists

    def look(dependant: Dependant) -> Mapping[str, bool]:
        looked.append(dependant)
        return lists(dependant)

    monkeypatch.setattr(parameters, "_lists", look)
    counts = []
    for limit in (1, 2):
        assert (await api.get(f"/api/v1/machines?limit={limit}")).status_code == 200
        counts.append(len(looked))
    assert counts[0] == counts[1] > 0


async def test_what_an_address_takes_is_for_those_who_may_ask(opened: Opened) -> None:
    opened.plant.person(Role.ADMINISTRATOR)
    transport = httpx.ASGITransport(opened.app())
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for address, status in [("machines?nope=1", 401), ("machine?nope=1", 404)]:
            assert (await client.get(f"/api/v1/{address}")).status_code == status
        assert (await client.get("/sign-in?utm=1")).status_code == 200  # a page, not the API


class Failing:
    """A ledger that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def machine(self, machine: str) -> Any:
        raise self._error

    def accounts_exist(self) -> bool:
        return False

    def reaching(self, reach: Any) -> "Failing":
        return self


@pytest.mark.parametrize(
    ("error", "status", "kind", "said"),
    [
        (StoreBusy("locked"), 503, "busy", True),
        (StoreFull("/data: 0 bytes left"), 507, "full", True),
        (StoreCorrupt("page 7 of a secret path"), 500, "fault", False),
        (RuntimeError("a secret"), 500, "fault", False),
    ],
)
async def test_stores_that_fail(
    opened: Opened,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    kind: str,
    said: bool,
) -> None:
    transport = httpx.ASGITransport(opened.app(ledger=Failing(error)))
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            answer = await client.get("/api/v1/machines/acme.a")
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:forewarn:problem:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in answer.headers) is (status == 503)
    assert (str(error) in answer.text) is said
    assert (str(error) in caplog.text) is not said
