"""Many pumps behind one connection, each with an outbox of its own: the load of `fleet`.

    python -m benchmarks.gateway PORT FIRST DEVICES SAMPLES PERIOD_S

A device says its birth, then publishes `SAMPLES` rows of ten signals every `PERIOD_S`, spread over
the period. What has no receipt is kept and sent again when a receipt names it missing. Once a
minute a JSON line on standard output says how it went; a line on standard input ends the load: then
the devices send only what is missing until all have their receipts.
"""

import json
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import paho.mqtt.client as mqtt
from numpy.typing import NDArray
from paho.mqtt.enums import CallbackAPIVersion

from models.contract import codec, topics
from models.contract.ids import uuid7
from models.contract.messages import Batch, Birth, Column, MachineRef, Metric, Receipt

#: signal -> level, swing of the load, noise, decimals of the sensor: a healthy pump
SIGNALS: Final = {
    "vibration_rms": (2.5, 0.3, 0.04, 3),
    "vibration_running_speed": (1.4, 0.2, 0.03, 3),
    "vibration_bearing": (1.1, 0.1, 0.03, 3),
    "bearing_temperature": (58.0, 6.0, 0.05, 2),
    "bearing_rise": (31.0, 3.0, 0.3, 1),
    "flow": (84.0, 11.0, 0.9, 1),
    "discharge_pressure": (4.4, 0.3, 0.08, 2),
    "motor_current": (18.4, 2.0, 0.12, 2),
    "speed": (1480.0, 6.0, 3.0, 0),
    "ambient_temperature": (24.0, 3.0, 0.3, 1),
}
METRICS: Final = tuple(Metric(name=name) for name in SIGNALS)
BIRTHS_PER_S: Final = 250
RESEND_S: Final = 5.0
DRAIN_S: Final = 120.0
MINUTE_S: Final = 60.0


@dataclass(slots=True)
class Device:
    """One outbox: what has no receipt yet."""

    identity: str
    boot: str
    seq: int = 0
    hwm: int = -1
    first: int = 0  #: number of the first batch since `mark`
    waiting: deque[list[Any]] = field(default_factory=deque)  #: [seq, payload, first sent, sent]


class Gateway:
    """Publishes for its devices and keeps what has no receipt."""

    def __init__(self, port: int, first: int, devices: int, samples: int, period_s: float) -> None:
        now = time.time_ns()
        self.samples, self.period_s = samples, period_s
        self.devices = {
            f"bench.p{number}": Device(f"bench.p{number}", uuid7(now, number.to_bytes(10, "big")))
            for number in range(first, first + devices)
        }
        self._dictionary = codec.dictionary_hash(METRICS)
        self._rng = np.random.default_rng(first)
        table = np.array(list(SIGNALS.values()))
        self._level, self._swing, self._noise = table[:, 0], table[:, 1], table[:, 2]
        self._steps = 10.0 ** table[:, 3]
        self._lock = threading.Lock()
        self._took: list[tuple[float, bool]] = []
        self.published = self.receipted = self.resent = self.missing = 0
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"bench_gateway_{first}")
        self._client.max_inflight_messages_set(20_000)
        self._client.max_queued_messages_set(0)
        self._client.on_message = self._receipt
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        for start in range(0, devices, 100):
            names = list(self.devices)[start : start + 100]
            self._client.subscribe([(topics.down(name, "ack"), 1) for name in names])
        if not self._subscribed.wait(30):
            raise TimeoutError("the broker took no subscription")

    def births(self) -> None:
        """Say what every device is, at a pace that a broker's queue holds."""
        begin = time.perf_counter()
        for number, device in enumerate(self.devices.values()):
            birth = Birth(
                boot=device.boot,
                dictionary=self._dictionary,
                metrics=METRICS,
                machines={"": MachineRef(profile="centrifugal-pump")},
            )
            topic = topics.up(device.identity, "birth")
            self._client.publish(topic, codec.encode(birth), qos=1, retain=True)
            _until(begin + number / BIRTHS_PER_S)

    def rows(self, at_s: float, devices: int) -> NDArray[np.float64]:
        """Return readings (devices, signals, samples) at the sensors' resolution."""
        shape = (devices, len(SIGNALS), self.samples)
        load = np.sin(at_s / 1800 + self._rng.uniform(0, 0.5, (devices, 1, 1)))
        values = self._level[:, None] + self._swing[:, None] * load
        values = values + self._noise[:, None] * self._rng.standard_normal(shape)
        steps = self._steps[:, None]
        rounded: NDArray[np.float64] = np.rint(values * steps) / steps
        return rounded

    def publish(self, stop: threading.Event) -> None:
        """Publish each device's next batch when it is due, period after period."""
        devices = list(self.devices.values())
        begin = told = time.perf_counter()
        part = max(1, len(devices) // 100)
        step_s = self.period_s * part / len(devices)
        for turn in range(10**9):
            if stop.is_set():
                return
            first = (turn * part) % len(devices)
            due = devices[first : first + part]
            for device, values in zip(due, self.rows(turn * step_s, len(due)), strict=True):
                self.send(device, values)
            if time.perf_counter() - told >= MINUTE_S:
                told += MINUTE_S
                self.tell(time.perf_counter() - begin - turn * step_s)
            _until(begin + (turn + 1) * step_s)

    def flood(self, seconds: float, ahead: int) -> float:
        """Publish as fast as receipts come, `ahead` batches before them; return batches per s."""
        devices = list(self.devices.values())
        begin, before = time.perf_counter(), self.receipted
        turn = 0
        while time.perf_counter() < begin + seconds:
            if self.published - self.receipted >= ahead:
                time.sleep(0.001)
                continue
            self.send(devices[turn % len(devices)], self.rows(turn, 1)[0])
            turn += 1
        return (self.receipted - before) / (time.perf_counter() - begin)

    def mark(self) -> None:
        """Let each device's next batch be its first."""
        with self._lock:
            for device in self.devices.values():
                device.first = device.seq

    def took(self) -> NDArray[np.float64]:
        """Return how long each batch since the last call took to its receipt (s)."""
        return self.apart()[0]

    def apart(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the same, and whether each was its device's first since `mark` (n,)."""
        with self._lock:
            took, self._took = self._took or [(np.nan, False)], []
        spans, firsts = zip(*took, strict=True)
        return np.array(spans), np.array(firsts)

    def close(self) -> None:
        """Let go of the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, device: Device, values: NDArray[np.float64]) -> None:
        """Publish a device's next batch: readings (signals, samples)."""
        columns = {
            name: Column(type="d", data=values[index].tobytes())
            for index, name in enumerate(SIGNALS)
        }
        step_ns = int(self.period_s * 1e9 / self.samples)
        batch = Batch(
            boot=device.boot,
            seq=device.seq,
            unreceipted=device.hwm + 1,
            t0_ns=time.time_ns() - step_ns * (self.samples - 1),
            offsets_ns=step_ns,
            count=self.samples,
            columns=columns,
            dictionary=self._dictionary,
        )
        payload = codec.encode(batch)
        now = time.perf_counter()
        with self._lock:
            device.waiting.append([device.seq, payload, now, now])
            device.seq += self.samples
            self.published += 1
        self._client.publish(topics.up(device.identity, "t", "live"), payload, qos=1)

    def _receipt(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        now = time.perf_counter()
        topic = topics.parse(message.topic)
        receipt = codec.decode(topic, bytes(message.payload))
        assert isinstance(receipt, Receipt)
        with self._lock:
            device = self.devices[topic.identity]
            device.hwm = max(device.hwm, receipt.hwm)
            while device.waiting and device.waiting[0][0] <= receipt.hwm:
                seq, _, sent, _ = device.waiting.popleft()
                self._took.append((now - sent, seq == device.first))
                self.receipted += 1
            self.missing += bool(receipt.missing)
            for first, last in receipt.missing:
                self._again(device, first, last, now)

    def _again(self, device: Device, first: int, last: int, now: float) -> None:
        for waiting in device.waiting:
            lost = waiting[0] <= last and waiting[0] + self.samples > first
            if lost and now - waiting[3] > RESEND_S:
                waiting[3] = now
                self.resent += 1
                payload = codec.with_unreceipted(waiting[1], device.hwm + 1)
                self._client.publish(topics.up(device.identity, "t", "live"), payload, qos=1)

    def drain(self) -> None:
        """Send again what has no receipt, until all have theirs."""
        ends = time.perf_counter() + DRAIN_S
        while self.published > self.receipted and time.perf_counter() < ends:
            now = time.perf_counter()
            with self._lock:
                for device in self.devices.values():
                    self._again(device, 0, device.seq, now)
            time.sleep(1)

    def tell(self, behind_s: float) -> None:
        """Say how the last minute was; `behind_s`: how late this load itself is."""
        took = self.took()
        with self._lock:
            line = {
                "published": self.published,
                "receipted": self.receipted,
                "resent": self.resent,
                "missing": self.missing,
                "late": int((took > self.period_s).sum()),
                "p50_ms": float(np.percentile(took, 50)) * 1e3,
                "p99_ms": float(np.percentile(took, 99)) * 1e3,
                "behind_s": behind_s,
            }
        print(json.dumps(line), flush=True)


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def main() -> None:
    """Run until a line comes on standard input."""
    port, first, devices, samples = (int(word) for word in sys.argv[1:5])
    gateway = Gateway(port, first, devices, samples, float(sys.argv[5]))
    gateway.births()
    print("born", flush=True)
    stop = threading.Event()
    load = threading.Thread(target=gateway.publish, args=(stop,))
    load.start()
    sys.stdin.readline()
    stop.set()
    load.join()
    gateway.drain()
    gateway.tell(0.0)


if __name__ == "__main__":
    main()
