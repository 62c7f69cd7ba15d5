import base64
from types import SimpleNamespace

import httpx
import pytest

from tests.cloud.api.plant import T0, Plant, every


@pytest.fixture
def aside(plant: Plant) -> bytes:
    payload = bytes(range(200))
    plant.ledger.quarantine_add(
        [
            SimpleNamespace(
                n=i,
                at_ns=T0,
                topic=f"pm/1/acme.{'ab'[i % 2]}/up/t/live",
                reason="not-json" if i % 3 else "too-large",
                detail=f"message {i} cannot be read",
                payload=payload + bytes([i]),
            )
            for i in range(9)
        ]
    )
    return payload


async def test_lists_each_once_with_its_first_bytes(api: httpx.AsyncClient, aside: bytes) -> None:
    found = await every(api, "/api/v1/quarantine?limit=2")
    assert sorted(one["n"] for one in found) == list(range(9))
    assert {base64.b64decode(one["head"]) for one in found} == {aside[:64]}
    assert {one["size"] for one in found} == {201}
    assert {one["device"] for one in found} == {"acme.a", "acme.b"}


async def test_filters_by_device_and_reason(api: httpx.AsyncClient, aside: bytes) -> None:
    found = await every(api, "/api/v1/quarantine?limit=1&device=acme.a&reason=not-json")
    assert sorted(one["n"] for one in found) == [2, 4, 8]


async def test_one_has_all_its_bytes(api: httpx.AsyncClient, aside: bytes) -> None:
    one = (await every(api, "/api/v1/quarantine"))[0]
    answer = await api.get(f"/api/v1/quarantine/{one['id']}")
    assert base64.b64decode(answer.json()["payload"]) == aside + bytes([one["n"]])
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await api.get(f"/api/v1/quarantine/{one['id']}", headers=known)).status_code == 304
    assert (await api.get("/api/v1/quarantine/nothing")).status_code == 404


async def test_counts_by_device_and_reason(api: httpx.AsyncClient, aside: bytes) -> None:
    found = (await api.get("/api/v1/quarantine/counts")).json()["items"]
    counts = {(one["device"], one["reason"]): one["count"] for one in found}
    assert counts == {
        ("acme.a", "not-json"): 3,
        ("acme.b", "not-json"): 3,
        ("acme.a", "too-large"): 2,
        ("acme.b", "too-large"): 1,
    }
