"""Opening an InfluxDB store for tests: buckets of its own for each path."""

import hashlib
import time
from pathlib import Path
from typing import Any

from cloud.telemetry.influx import setup
from cloud.telemetry.influx.http import Server
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.store import InfluxTelemetry

EVER = Retention(raw_days=0, minute_days=0)


def prefix_of(path: Path) -> str:
    return f"t{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"


def open_influx(server: Server, path: Path, **more: Any) -> InfluxTelemetry:
    prefix = prefix_of(path)
    retention = more.pop("retention", EVER)
    if not path.exists():
        setup.make_buckets(server, Buckets.of(prefix), retention)
    return InfluxTelemetry(
        path, server, now=time.time_ns, prefix=prefix, retention=retention, **more
    )
