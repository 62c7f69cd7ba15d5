"""From a reading over the limit to a closed ticket, on real parts."""

import json
import urllib.request
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from models.contract import topics
from models.contract.messages import MachineRef
from tests.cloud.wires import batch, birth
from tests.e2e.parts import ANSWER_S, Part, Service, eventually

pytestmark = pytest.mark.broker


def post(running: Service, path: str, version: int, **body: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/api/v1{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "If-Match": f'"{version}"'},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


def test_a_hot_bearing_becomes_one_ticket_that_can_be_closed(
    broker: Part, running: Service
) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    machines = {"": MachineRef(profile="centrifugal-pump", name="Feed pump 1")}
    try:
        client.publish(
            topics.up("acme.p", "birth"), birth(machines, time="data"), qos=1, retain=True
        )
        for i in range(8):
            body = batch(i * 10, [9.0 + i % 2] * 10, name="vibration_rms")
            client.publish(topics.up("acme.p", "t", "live"), body, qos=1)
        tickets = eventually(lambda: running.get("/tickets")["items"] or None)
    finally:
        client.disconnect()
        client.loop_stop()
    (ticket,) = tickets
    assert (ticket["machine"], ticket["mode"]) == ("acme.p", "bearing-wear")
    assert ticket["due_latest"].endswith("Z")
    why = running.get(f"/tickets/{ticket['id']}/why")
    assert "above its limit of 7.1 mm/s" in " ".join(why["why"]["en"])
    assert "振动" in " ".join(why["why"]["zh"])
    taken = post(running, f"/tickets/{ticket['id']}/acknowledge", ticket["version"], actor="ann")
    words = {"actor": "ann", "verdict": "confirmed", "as_found": "pitted", "replaced": "bearing"}
    done = post(running, f"/tickets/{ticket['id']}/resolve", taken["version"], **words)
    assert done["state"] == "resolved"
    final = post(
        running, f"/tickets/{ticket['id']}/close", done["version"], actor="ann", confirmed=True
    )
    assert final["state"] == "closed_confirmed"
    history = [event["type"] for event in running.items(f"/tickets/{ticket['id']}/history")]
    assert len(history) == 4
    alerts = running.data / "alerts.jsonl"
    found = eventually(lambda: alerts.read_text("utf-8") if alerts.exists() else None)
    assert "Feed pump 1" in found
    assert "轴承" in found
