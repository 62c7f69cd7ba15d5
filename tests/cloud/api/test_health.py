from typing import Any

import httpx
import pytest

from cloud.errors import StoreBusy
from cloud.quota import Throttled
from tests.cloud.api.plant import BASE, T0, Opened, Plant


async def test_all_is_well(api: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/livez?t=1", "/readyz?verbose"):  # balancers add to them
        answer = await api.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    body = (await api.get("/api/v1/health")).json()
    assert (body["status"], body["demo"]) == ("ok", False)
    assert body["now"].endswith("Z")
    assert body["broker"] == {"ok": True, "error": None, "position": None}
    assert (body["service"]["position"], body["service"]["waiting"]) == (7, 0)
    totals = body["service"]["counters"]
    parts = ("accepted", "repeats", "aside", "refused")
    assert totals["messages"] == sum(totals[part] for part in parts)


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("broker", {"connected": False}, "no connection yet"),
        ("broker", {"connected": False, "broker_error": "refused"}, "refused"),
        ("telemetry", {"store_error": "disk full"}, "disk full"),
        ("disk", {"disk_error": "too few bytes are free"}, "too few bytes are free"),
    ],
)
async def test_what_is_wrong_is_said_on_the_health_page_alone(
    api: httpx.AsyncClient, plant: Plant, part: str, changes: dict[str, Any], words: str
) -> None:
    vars(plant.status).update(changes)
    assert (await api.get("/livez")).status_code == 200
    ready = await api.get("/readyz")
    assert ready.status_code == 503
    assert words not in ready.text
    body = (await api.get("/api/v1/health")).json()
    assert (body["status"], body[part]["ok"], body[part]["error"]) == ("degraded", False, words)


async def test_a_device_over_its_limit_is_named_with_the_limit(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.status.refusals = [("acme.pump1", Throttled("device_values_per_s", 12, T0))]
    (refusal,) = (await api.get("/api/v1/health")).json()["service"]["refusals"]
    assert refusal.pop("last").endswith("Z")
    assert refusal == {"device": "acme.pump1", "limit": "device_values_per_s", "messages": 12}


async def test_trained_models_are_named_with_the_machines_that_they_no_longer_fit(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    assert (await api.get("/api/v1/health")).json()["models"] == []
    plant.drifts["pump", "pump-autoencoder"] = 2
    found = (await api.get("/api/v1/health")).json()["models"]
    assert found == [{"profile": "pump", "name": "pump-autoencoder", "drifted": 2}]


class Locked:
    """A ledger that is locked."""

    def position(self) -> int:
        raise StoreBusy("ledger.db is locked")

    def accounts_exist(self) -> bool:
        return False

    def reaching(self, reach: Any) -> "Locked":
        return self


async def test_a_locked_ledger_is_not_ready(opened: Opened) -> None:
    transport = httpx.ASGITransport(opened.app(ledger=Locked()))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.get("/readyz")).status_code == 503
        body = (await client.get("/api/v1/health")).json()
    assert body["ledger"] == {"ok": False, "error": "ledger.db is locked", "position": None}
