"""Buckets, the task that makes hours good, and what each store says when something is missing."""

import time
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import StoreBusy
from cloud.telemetry import checks
from cloud.telemetry.influx import repair, setup
from cloud.telemetry.influx.http import Server
from cloud.telemetry.influx.server import Influxd
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.store import InfluxTelemetry
from cloud.telemetry.rollup import HOUR_NS
from tests.cloud.telemetry.influx_opening import open_influx, prefix_of


def retentions(server: Server, buckets: Buckets) -> list[int]:
    with setup.client(server) as client:
        api = client.buckets_api()
        return [api.find_bucket_by_name(name).retention_rules[0].every_seconds for name in buckets]


def test_buckets_are_made_once_and_follow_the_settings(influxd: Influxd) -> None:
    buckets = Buckets.of("setup-once")
    made = setup.make_buckets(influxd.server, buckets, Retention())
    assert made == ["setup-once_raw", "setup-once_minute", "setup-once"]
    assert retentions(influxd.server, buckets) == [92 * 86_400, 732 * 86_400, 0]
    assert setup.make_buckets(influxd.server, buckets, Retention(raw_days=30)) == []
    assert retentions(influxd.server, buckets) == [32 * 86_400, 732 * 86_400, 0]


def test_the_task_is_made_once_and_brought_up_to_date(influxd: Influxd) -> None:
    buckets = Buckets.of("setup-task")
    setup.make_buckets(influxd.server, buckets, Retention())
    first = repair.make_task(influxd.server, buckets)
    assert repair.make_task(influxd.server, buckets) == first
    with setup.client(influxd.server) as client:
        task = client.tasks_api().find_task_by_id(first)
        assert task.status == "active"
        assert task.every == "1h"


def test_the_task_makes_missing_hours_good(influxd: Influxd, tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = open_influx(influxd.server, path)
    start = time.time_ns() // HOUR_NS * HOUR_NS - 4 * HOUR_NS
    times = start + 10**9 * np.arange(0, 4 * 3600, 7)
    values = np.round(np.random.default_rng(3).normal(20, 5, len(times)), 2)
    store.write([checks.block(times, {"temp": values})], 0)
    span = ("acme.pump1", "temp", start, start + 3 * HOUR_NS, HOUR_NS)
    before = store.buckets(*span)
    buckets = Buckets.of(prefix_of(path))
    setup.delete(influxd.server, buckets.ever, '_measurement="hour"')
    assert len(store.buckets(*span).start_ns) == 0
    with setup.client(influxd.server) as client:
        client.query_api().query(repair.flux(buckets))
    after = store.buckets(*span)
    for name in ("start_ns", "first", "last", "min", "max", "count", "first_ns", "last_ns"):
        assert getattr(after, name).tolist() == getattr(before, name).tolist()
    assert after.min_ns.tolist() == before.min_ns.tolist()
    assert after.max_ns.tolist() == before.max_ns.tolist()
    assert after.sum == pytest.approx(before.sum)
    store.close()


def test_a_missing_bucket_is_named_with_the_way_out(influxd: Influxd, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="forewarn setup influx"):
        InfluxTelemetry(tmp_path / "store", influxd.server, now=time.time_ns, prefix="never-made")


def test_a_wrong_token_is_said_and_never_shown(influxd: Influxd, tmp_path: Path) -> None:
    server = Server(url=influxd.server.url, org=influxd.server.org, token="not-the-token")
    with pytest.raises(StoreBusy, match="token is not accepted") as raised:
        InfluxTelemetry(tmp_path / "store", server, now=time.time_ns)
    assert "not-the-token" not in str(raised.value) + repr(server)
