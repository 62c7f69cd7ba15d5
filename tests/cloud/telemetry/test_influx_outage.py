"""InfluxDB killed, away and back, and lines that it does not take: a real server each time."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import StoreBusy
from cloud.telemetry.checks import EVER, MANY, SECOND_NS, T0, block
from cloud.telemetry.identity import audit
from cloud.telemetry.influx.http import Connection
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.server import Influxd, running
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.shipment import Shipment
from cloud.telemetry.influx.shipper import MERGED_VALUES, Refused
from cloud.telemetry.influx.store import InfluxTelemetry
from models.rows import Block
from tests.cloud.telemetry.influx_opening import open_influx, prefix_of

ROWS = 100
SIGNALS = tuple(f"s{j}" for j in range(10))
SMALL = 256 << 10


@pytest.fixture
def own(influxd: Influxd, tmp_path: Path) -> Iterator[Influxd]:
    """A server that the test may kill."""
    with running(tmp_path / "influxd", influxd.program) as server:
        yield server


def group(n: int) -> list[Block]:
    at = np.arange(ROWS * n, ROWS * (n + 1))
    columns = {name: np.round(at % 977 * 0.01 + j, 2) for j, name in enumerate(SIGNALS)}
    return [
        block(T0 + SECOND_NS * at, columns, n=n, seq=ROWS * n, machine=machine)
        for machine in ("acme.pump1", "acme.pump2")
    ]


def catch_up(store: InfluxTelemetry, position: int) -> None:
    ends = time.monotonic() + 300
    while store.durable_position() < position:
        assert time.monotonic() < ends, store.trouble()


def holds_everything(store: InfluxTelemetry, groups: int) -> None:
    for machine in ("acme.pump1", "acme.pump2"):
        found = store.series(machine, "s3", *EVER, MANY)
        assert len(found.times_ns) == ROWS * groups
        assert (np.diff(found.times_ns) == SECOND_NS).all()
        spans, repeats = audit(store.identities(machine))
        assert (list(spans.values()), repeats) == ([[(0, ROWS * groups - 1)]], 0)
        whole = store.buckets(machine, "s3", T0, T0 + SECOND_NS * ROWS * groups, 3600 * SECOND_NS)
        assert int(whole.count.sum()) == ROWS * groups
        assert whole.sum.sum() == pytest.approx(found.values.sum())


def test_nothing_is_lost_while_the_server_is_away(own: Influxd, tmp_path: Path) -> None:
    store = open_influx(own.server, tmp_path / "store", memory_bytes=SMALL)
    for n in range(20):
        store.write(group(n), n)
    own.kill()
    for n in range(20, 400):
        store.write(group(n), n)
    assert store.durable_position() < 399
    in_memory, on_disk = store.waiting_bytes
    assert in_memory <= SMALL
    in_hand = MERGED_VALUES + 2 * ROWS * len(SIGNALS)
    assert on_disk > (380 * 2 * ROWS * len(SIGNALS) - in_hand) * 4
    with pytest.raises(StoreBusy, match="no answer"):
        store.latest("acme.pump1")
    own.start()
    catch_up(store, 399)
    assert store.trouble() is None
    assert store.waiting_bytes == (0, 0)
    holds_everything(store, 400)
    store.close()


def test_a_server_killed_again_and_again_while_it_is_written_to(
    own: Influxd, tmp_path: Path
) -> None:
    store = open_influx(own.server, tmp_path / "store", memory_bytes=SMALL)
    n = 0
    for _ in range(3):
        for _ in range(60):
            store.write(group(n), n)
            n += 1
        own.kill()
        store.write(group(n), n)
        n += 1
        own.start()
    catch_up(store, n - 1)
    holds_everything(store, n)
    store.close()


def test_a_full_spool_refuses_and_takes_again(own: Influxd, tmp_path: Path) -> None:
    store = open_influx(own.server, tmp_path / "store", memory_bytes=SMALL, disk_bytes=4 * SMALL)
    store.write(group(0), 0)
    catch_up(store, 0)
    own.kill()
    store.write(group(1), 1)
    while store.trouble() is None:  # from then on it has a shipment in hand, and takes no more
        store.durable_position()
    n = 2
    while store.waiting_bytes[1] < 3 * SMALL:
        store.write(group(n), n)
        n += 1
    many = [part for more in range(n, n + 40) for part in group(more)]
    with pytest.raises(StoreBusy, match="spool_mb"):
        store.write(many, n + 39)
    assert store.position() == n - 1
    own.start()
    catch_up(store, n - 1)
    store.write(group(n), n)
    catch_up(store, n)
    holds_everything(store, n + 1)
    store.close()


def test_a_service_that_starts_while_the_server_is_away(own: Influxd, tmp_path: Path) -> None:
    store = open_influx(own.server, tmp_path / "store")
    store.write(group(0), 0)
    catch_up(store, 0)
    own.kill()
    store.write(group(1), 1)
    store.close()
    again = open_influx(own.server, tmp_path / "store")
    assert again.position() == 1  # the shipment in hand is on disk, and is sent again
    again.write(group(1), 1)
    again.write(group(2), 2)
    own.start()
    catch_up(again, 2)
    holds_everything(again, 3)
    again.close()


def test_the_line_that_clashes_is_set_aside_and_all_others_are_stored(
    influxd: Influxd, tmp_path: Path
) -> None:
    refused: list[Refused] = []
    path = tmp_path / "store"
    store = open_influx(influxd.server, path, pass_on=refused.extend)
    connection = Connection(influxd.server)
    foreign = f'reading,machine=other,stream=x f.flow="text" {T0}\n'
    connection.write(Buckets.of(prefix_of(path)).raw, foreign.encode())
    good = block(T0 + SECOND_NS * np.arange(500), {"temp": np.arange(500.0)})
    bad = block([T0 + SECOND_NS * 500], {"temp": np.array([1.0]), "flow": np.array([2.0])}, seq=500)
    more = block(T0 + SECOND_NS * np.arange(501, 900), {"temp": np.arange(399.0)}, seq=501)
    store.write([good, bad, more], 0)
    catch_up(store, 0)
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 899
    assert [line.line.split(b" ")[-1] for line in refused] == [b"%d" % (T0 + SECOND_NS * 500)]
    assert b"f.flow=2" in refused[0].line
    assert "field type conflict" in refused[0].reason
    assert store.refused == 1
    store.close()


def test_the_line_that_cannot_be_read_is_set_aside_and_all_others_are_stored(
    influxd: Influxd, tmp_path: Path
) -> None:
    refused: list[Refused] = []
    path = tmp_path / "store"
    open_influx(influxd.server, path).close()
    lines = [f"reading,machine=acme.pump1,stream=live f.temp={n} {T0 + n}" for n in range(300)]
    lines[123] = f"reading,machine=acme.pump1,stream=live f.temp=oops {T0 + 123}"
    lines[222] = "nonsense"
    body = "\n".join(lines).encode() + b"\n"
    ShipmentLog(path).note(Shipment(7, [(Buckets.of(prefix_of(path)).raw, body)]))
    store = open_influx(influxd.server, path, pass_on=refused.extend)
    catch_up(store, 7)
    stored = store.series("acme.pump1", "temp", *EVER, MANY).times_ns.tolist()
    assert stored == [T0 + n for n in range(300) if n not in {123, 222}]
    assert sorted(line.line.decode() for line in refused) == sorted([lines[123], lines[222]])
    assert all("parse" in line.reason or "missing" in line.reason for line in refused)
    store.close()


def test_readings_past_their_retention_are_let_go(influxd: Influxd, tmp_path: Path) -> None:
    store = open_influx(influxd.server, tmp_path / "store")
    day = 86_400 * SECOND_NS
    hour = 3600 * SECOND_NS
    start = T0 // day * day
    for n in range(5):
        times = start + n * day + 600 * SECOND_NS * np.arange(144)
        store.write([block(times, {"temp": n + np.arange(144.0)}, n=n, seq=144 * n)], n)
    before = store.buckets("acme.pump1", "temp", start, start + 5 * day, hour)
    store.trim(start + 5 * day, raw_ns=2 * day, minutes_ns=3 * day)
    left = store.series("acme.pump1", "temp", *EVER, MANY)
    assert int(left.times_ns[0]) >= start
    after = store.buckets("acme.pump1", "temp", start, start + 5 * day, hour)
    assert after.count.tolist() == before.count.tolist()
    assert after.max.tolist() == before.max.tolist()
    assert len(store.buckets("acme.pump1", "temp", start, start + day, 7 * 60 * SECOND_NS).count)
    store.close()


def test_data_older_than_the_retention_is_kept_where_it_stays(
    influxd: Influxd, tmp_path: Path
) -> None:
    store = open_influx(influxd.server, tmp_path / "store", retention=Retention())
    old = 1_400_000_000 * SECOND_NS
    times = old + SECOND_NS * np.arange(7200)
    values = np.arange(7200.0)
    store.write([block(times, {"temp": values})], 0)
    found = store.series("acme.pump1", "temp", *EVER, MANY)
    assert found.values.tolist() == values.tolist()
    minutes = store.buckets("acme.pump1", "temp", old, old + 7200 * SECOND_NS, 60 * SECOND_NS)
    assert int(minutes.count.sum()) == 7200
    assert store.refused == 0
    store.trim(old + 7200 * SECOND_NS + 91 * 86_400 * SECOND_NS, {"acme.pump1"})
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 7200
    store.trim(old + 92 * 86_400 * SECOND_NS)
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 0
    hours = store.buckets("acme.pump1", "temp", old, old + 7200 * SECOND_NS, 3600 * SECOND_NS)
    assert int(hours.count.sum()) == 7200
    store.close()
