from pathlib import Path

import httpx

from cloud.notify import Notifier
from cloud.notify.channels import LogChannel, NotSent
from tests.cloud.api.plant import BASE, Opened, Plant, every


class Broken(LogChannel):
    """A channel whose other side is away."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = "pager"

    def send(self, batch_id: str, texts: object) -> None:
        raise NotSent("the other side is away")


def app(opened: Opened, plant: Plant, folder: Path) -> httpx.AsyncClient:
    async def submit(work):  # type: ignore[no-untyped-def]
        return work()

    channels = [LogChannel(folder / "alerts.log"), Broken(folder / "none")]
    notifier = Notifier(plant.ledger, channels, submit=submit, now=lambda: plant.clock[0])
    transport = httpx.ASGITransport(opened.app(outlets=notifier))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


async def test_a_test_message_goes_or_says_why_not(
    opened: Opened, plant: Plant, tmp_path: Path
) -> None:
    async with app(opened, plant, tmp_path) as client:
        found = (await client.get("/api/v1/channels")).json()["items"]
        assert [one["name"] for one in found] == ["log", "pager"]
        went = await client.post("/api/v1/channels/log/test", json={})
        assert went.json() == {"channel": "log", "sent": True, "error": None}
        assert "test" in (tmp_path / "alerts.log").read_text("utf-8")
        failed = await client.post("/api/v1/channels/pager/test", json={})
        assert failed.json()["error"] == "the other side is away"
        assert (await client.post("/api/v1/channels/none/test", json={})).status_code == 404


async def test_alerts_and_deliveries_are_listed(api: httpx.AsyncClient, plant: Plant) -> None:
    for name in ("acme.a", "acme.b"):
        plant.register(name)
        plant.find(name, "pressure")
    (batch, *_) = plant.ledger.alerts_due(plant.clock[0])
    plant.ledger.alert_failed(batch.batch_id or "", "mail", "refused", plant.clock[0])
    plant.ledger.alert_sent(batch.batch_id or "", "log")
    plant.ledger.alert_done(batch.batch_id or "", sent=True)
    alerts = await every(api, "/api/v1/alerts?limit=1")
    assert [(one["machine"], one["state"]) for one in alerts] == [
        ("acme.b", "pending"),
        ("acme.a", "sent"),
    ]
    assert [one["machine"] for one in await every(api, "/api/v1/alerts?state=sent")] == ["acme.a"]
    tried = await every(api, f"/api/v1/deliveries?machine={batch.machine}")
    assert [(one["channel"], one["error"]) for one in tried] == [("log", None), ("mail", "refused")]
