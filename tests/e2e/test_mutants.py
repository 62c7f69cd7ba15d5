"""Broken payloads through the running service: each is stored, a repeat, or set aside."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from models.contract import codec, topics
from models.contract.messages import Batch
from tests.cloud.wires import batch
from tests.e2e.parts import Part, Service, eventually
from tests.models.contract.fuzz import mutants
from tests.models.contract.reader import judge

pytestmark = pytest.mark.broker
DEVICES = 50
GOOD_EVERY = 20
OURS = re.compile(r"pm/1/[^/+#]+/up/[^+#]+")


def publishable(topic: str) -> bool:
    """Whether a broker takes the topic and the service subscribes to it."""
    try:
        encoded = topic.encode()
    except UnicodeEncodeError:
        return False
    return bool(OURS.fullmatch(topic)) and "\0" not in topic and len(encoded) < 200


@pytest.mark.parametrize(
    "count",
    [2000, pytest.param(int(os.environ.get("FOREWARN_MUTANTS", "10000")), marks=pytest.mark.long)],
)
def test_mutants_are_all_accounted_for_and_good_devices_lose_nothing(
    broker: Part, running: Service, count: int
) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    sent, verdicts, good = 0, Counter[str](), 0
    try:
        for number, (topic, payload) in enumerate(mutants(7, count * 2)):
            if not publishable(topic) or len(payload) > 900_000:
                continue
            own = re.sub(r"^pm/1/[a-z0-9-]+\.[a-z0-9-]+/", f"pm/1/bad.d{number % DEVICES}/", topic)
            verdicts[judge(own, payload).verdict] += 1
            client.publish(own, payload, qos=1)
            sent += 1
            if number % GOOD_EVERY == 0:
                body = batch(good, [float(good)], u=0)
                client.publish(topics.up("good.d0", "t", "live"), body, qos=1)
                good += 1
                sent += 1
            if sent >= count:
                break
        eventually(lambda: not client._out_messages or None)
        counts = eventually(lambda: settled(running, sent))
    finally:
        client.disconnect()
        client.loop_stop()
    assert counts["accepted"] + counts["repeats"] + counts["aside"] + counts["waiting"] == sent
    invalid = counts["aside"] - counts["conflicts"]
    assert invalid == verdicts["invalid"], (counts, verdicts)
    expected = [float(i) for i in range(good)]
    eventually(lambda: sorted(stored(running, "good.d0")) == expected or None)


def stored(running: Service, machine: str) -> list[float]:
    """Return all values of the machine's `temp`."""
    span = "start=1970-01-01T00:00:00Z&end=2200-01-01T00:00:00Z"
    path = f"/machines/{machine}/series?signal=temp&raw=true&{span}"
    return [value for page in running.pages(path) for value in page["values"]]


def settled(running: Service, sent: int) -> dict[str, int] | None:
    """Return the counters once everything that was sent has been handled."""
    health = running.get("/health")
    counts = {**health["service"]["counters"], "waiting": health["service"]["waiting"]}
    return counts if counts["messages"] >= sent else None


def test_the_corpus_contains_what_it_should(tmp_path: Path) -> None:
    found = Counter(judge(topic, payload).verdict for topic, payload in mutants(7, 500))
    assert set(found) == {"valid", "partly", "invalid"}
    assert isinstance(
        codec.decode(topics.parse(topics.up("a.b", "t", "live")), batch(0, [1.0])), Batch
    )
