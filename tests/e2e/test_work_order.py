"""A part's life from its ticket to the work order that replaces it, on real parts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from models.contract import topics
from models.contract.messages import MachineRef
from simulators.plants import PLANTS, Specimen
from tests.cloud.wires import T0, S, batch, birth, floats
from tests.e2e.parts import Part, Service, eventually
from tests.e2e.test_ticket import post

pytestmark = pytest.mark.broker
HOUR = 3600
DAY_ROWS = 24
SOLD = 12 * DAY_ROWS  #: rows until the drum is replaced; the readings after it are of the new one


@pytest.fixture
def client(broker: Part) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def publish(client: Client, first: int, last: int) -> None:
    """Publish hourly rows of a printer whose drum is at its end until row SOLD."""
    worn = Specimen(key="p", used={"drum": 0.96}, replaced_s={"drum": (float(SOLD * HOUR) - 1.0,)})
    plant = PLANTS["office-printer"]([worn], 4)
    values = plant.sample(np.arange(float(last)) * HOUR)[:, 0]
    for row in range(first, last, DAY_ROWS):
        rows = values[row : row + DAY_ROWS]
        columns = {name: floats(rows[:, i].tolist()) for i, name in enumerate(plant.signals)}
        body = batch(
            row,
            rows[:, 0].tolist(),
            t0_ns=T0 + row * HOUR * S,
            offsets_ns=HOUR * S,
            columns=columns,
        )
        client.publish(topics.up("acme.p", "t", "live"), body, qos=1)


def drum(running: Service) -> Any:
    items = running.get("/machines/acme.p/parts")["items"]
    return next(one for one in items if one["component"] == "drum")


def test_a_drum_is_ordered_replaced_by_work_order_and_begins_anew(
    client: Client, running: Service
) -> None:
    machines = {"": MachineRef(profile="office-printer", name="Printer 1")}
    client.publish(topics.up("acme.p", "birth"), birth(machines, time="data"), qos=1, retain=True)
    publish(client, 0, SOLD)
    (ticket,) = eventually(lambda: running.get("/tickets")["items"] or None)
    assert (ticket["mode"], ticket["part"]) == ("drum-worn", "DR-3455")
    end = T0 // S + (SOLD - 1) * HOUR
    eventually(lambda: running.get("/machines/acme.p")["seen"] >= stamp(end) or None)
    old = drum(running)
    assert old["fraction"] < 0.05
    assert old["order_by"] == running.get(f"/tickets/{ticket['id']}")["order_by"]
    assert old["ends_earliest"] <= old["ends"] <= old["ends_latest"]

    ticket = running.get(f"/tickets/{ticket['id']}")
    words = {"actor": "ann", "verdict": "confirmed", "replaced": "drum"}
    done = post(running, f"/tickets/{ticket['id']}/resolve", ticket["version"], **words)
    assert (done["state"], done["replaced"]) == ("resolved", "drum")
    # the order itself makes the part new; no reading has come
    eventually(lambda: drum(running)["fraction"] is None or None)
    assert drum(running)["order_by"] is None

    publish(client, SOLD, SOLD + 5 * DAY_ROWS)
    new = eventually(lambda: (drum(running)["fraction"] or None) and drum(running))
    assert new["fraction"] > 0.95
    eventually(lambda: drum(running)["ends"] or None)
    assert drum(running)["ends"] > old["ends_latest"]
    assert [one["number"] for one in running.get("/tickets")["items"]] == [ticket["number"]]
    assert running.get(f"/tickets/{ticket['id']}")["state"] == "resolved"


def stamp(seconds: float) -> str:
    """Return a time as the API writes it."""
    return np.datetime_as_string(np.datetime64(int(seconds), "s")) + "Z"
