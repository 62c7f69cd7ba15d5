"""The naive pipeline into InfluxDB, as a process: see `benchmarks.peers`."""

import json
import os
import sys
import threading

import paho.mqtt.client as mqtt
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions
from paho.mqtt.enums import CallbackAPIVersion
from river.anomaly import HalfSpaceTrees

from benchmarks.peers import DEVICES, MEASUREMENT, NAIVE_BUCKET


def main(port: int, url: str, org: str, part: int, parts: int) -> None:
    """Run until terminated, on every device whose number leaves `part` when divided by `parts`."""
    client = InfluxDBClient(url, os.environ["NAIVE_TOKEN"], org=org)
    options = WriteOptions(batch_size=5000, flush_interval=1000)
    writer = client.write_api(write_options=options)
    models: dict[str, HalfSpaceTrees] = {}

    def take(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic
        model = models.setdefault(device, HalfSpaceTrees(n_trees=25, height=8, seed=1))
        points = []
        for row in json.loads(message.payload):
            at = row.pop("t")
            model.score_one(row)
            model.learn_one(row)
            point = Point(MEASUREMENT).tag("device", device).time(at)
            for name, value in row.items():
                point = point.field(name, value)
            points.append(point)
        writer.write(NAIVE_BUCKET, org, points)

    receiver = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    receiver.on_message = take
    receiver.on_subscribe = lambda *_: print("ready", flush=True)
    receiver.connect("127.0.0.1", port)
    receiver.subscribe([(f"plant/bench.d{n}", 1) for n in range(part, DEVICES, parts)])
    receiver.loop_start()
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
