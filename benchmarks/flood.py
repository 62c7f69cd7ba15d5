"""What a flood from one device does to the others: publish → receipt, with and without it.

Quiet devices publish a numbered batch of ten samples each, ten times a second in all, and note when
its receipt comes: that is when the reading is on disk. The flooding device sends 10,000 small
messages a second. Real broker, real service, both in processes of their own.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.footprint import await_ready, service
from benchmarks.report import Figure
from forewarn.broker import embedded
from models.contract import codec, topics
from models.contract.ids import uuid7
from models.contract.messages import Batch, Column, Receipt

DEVICES = 10
EVERY_S = 0.1
SECONDS = 20.0
FLOOD_PER_S = 10_000
_FLOODER = """
import sys, time
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench_flood")
client.max_inflight_messages_set(20000); client.max_queued_messages_set(0)
client.connect("127.0.0.1", int(sys.argv[1])); client.loop_start()
rate, begin, sent = int(sys.argv[2]), time.perf_counter(), 0
while True:
    due = int((time.perf_counter() - begin) * rate)
    while sent < due:
        client.publish("pm/1/bench.flood/up/t/live", b'{"d":{"x":1.5}}', qos=0); sent += 1
    time.sleep(0.005)
"""


class Quiet:
    """The well-behaved devices, and how long each of their batches took."""

    def __init__(self, port: int) -> None:
        self.took_s: list[float] = []
        self._sent: dict[tuple[str, int], float] = {}
        self._boot = uuid7(time.time_ns(), b"0123456789")
        self._seq = 0
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench_quiet")
        self._client.on_message = self._receipt
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        for device in range(DEVICES):
            self._client.subscribe(topics.down(f"bench.q{device}", "ack"), qos=1)
        self._subscribed.wait(10)

    def publish(self, seconds: float) -> list[float]:
        """Publish for some seconds; return how long each batch took."""
        self.took_s = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            device = (self._seq // 10) % DEVICES
            seq = self._seq // 10 // DEVICES * 10
            self._seq += 10
            payload = codec.encode(
                Batch(
                    boot=self._boot,
                    seq=seq,
                    unreceipted=0,
                    t0_ns=time.time_ns(),
                    offsets_ns=1_000_000,
                    count=10,
                    columns={"x": Column(type="d", data=bytes(80))},
                )
            )
            identity = f"bench.q{device}"
            self._sent[identity, seq + 9] = time.perf_counter()
            self._client.publish(topics.up(identity, "t", "live"), payload, qos=1)
            time.sleep(EVERY_S)
        time.sleep(1)
        return sorted(self.took_s)

    def _receipt(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        now = time.perf_counter()
        topic = topics.parse(message.topic)
        found = codec.decode(topic, bytes(message.payload))
        assert isinstance(found, Receipt)
        begun = self._sent.pop((topic.identity, found.hwm), None)
        if begun is not None:
            self.took_s.append(now - begun)


def p99(took_s: list[float]) -> float:
    """Return the 99th percentile in ms."""
    return took_s[min(len(took_s) - 1, int(len(took_s) * 0.99))] * 1e3


def run(seconds: float = SECONDS) -> list[Figure]:
    """Measure the quiet devices alone, then beside the flood."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with embedded(folder / "broker") as broker:
            cloud, url = service(folder, broker.port, broker.version)
            try:
                await_ready(url, cloud)
                quiet = Quiet(broker.port)
                quiet.publish(3)
                alone = quiet.publish(seconds)
                words = [sys.executable, "-c", _FLOODER, str(broker.port), str(FLOOD_PER_S)]
                flooder = subprocess.Popen(words)
                try:
                    beside = quiet.publish(seconds)
                finally:
                    flooder.kill()
                    flooder.wait()
                refused = _refused(url)
            finally:
                cloud.terminate()
                cloud.wait()
    return [
        Figure("publish to receipt alone, p99", p99(alone), "ms"),
        Figure("  beside a flood of 10,000 messages/s, p99", p99(beside), "ms"),
        Figure("  ratio (goal at most 2)", p99(beside) / p99(alone), "x"),
        Figure("  batches receipted, alone", len(alone), ""),
        Figure("  batches receipted, beside the flood", len(beside), ""),
        Figure("  messages of the flood refused", refused, ""),
    ]


def _refused(url: str) -> int:
    import urllib.request

    with urllib.request.urlopen(f"{url}/api/v1/health", timeout=10) as answer:
        return int(json.load(answer)["service"]["counters"]["refused"])


if __name__ == "__main__":
    for figure in run():
        print(figure)
