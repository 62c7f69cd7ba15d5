"""The writer's order of things: nothing in hand is dropped, whoever is busy or refuses."""

import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cloud.errors import StoreBusy
from cloud.telemetry.checks import SECOND_NS, T0, block
from cloud.telemetry.influx import http, names, shipper
from cloud.telemetry.influx import spool as waiting
from cloud.telemetry.influx.http import Away, Connection, Rejected, TooSlow
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.setup import Buckets
from cloud.telemetry.influx.shipment import Shipment
from cloud.telemetry.influx.shipper import Refused, Shipper
from cloud.telemetry.influx.store import InfluxTelemetry


class Server:
    """Takes every line but `bad` ones."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, _bucket: str, body: bytes | memoryview) -> None:
        if b"bad" in (sent := bytes(body)):
            raise Rejected(400, "unable to parse")
        self.lines += sent.splitlines()

    def end(self) -> None:
        """Nothing is ever under way."""


class Spool:
    """Gives two shipments' worth, one after the other."""

    def __init__(self) -> None:
        self._waiting: list[tuple[list[Any], int]] = [([], 1)]

    def take(self) -> tuple[list[Any], int] | None:
        return self._waiting.pop(0) if self._waiting else None


class Builder:
    """Makes a shipment with a line that is refused; the first time a query of its own is."""

    def __init__(self) -> None:
        self.builds = 0

    def build(self, _blocks: list[Any], position: int) -> Shipment:
        self.builds += 1
        if self.builds == 1:
            raise Rejected(422, "query refused")
        return Shipment(position, [("ever", b"bad 1\n"), ("raw", b"one 1\n"), ("more", b"two 1\n")])

    def sent(self) -> None:
        self.builds += 100


def test_a_refused_line_waits_for_a_busy_ledger_and_the_rest_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.telemetry.influx.shipper.FIRST_WAIT_S", 0.01)
    server, kept, busy = Server(), list[bytes](), iter([True, True, False])
    told, builder = threading.Event(), Builder()

    def pass_on(refused: Sequence[Refused]) -> None:
        if next(busy):
            raise StoreBusy("the ledger is locked")
        kept.extend(one.line for one in refused)
        told.set()

    shipper = Shipper(
        connection=server,  # type: ignore[arg-type]
        builder=builder,  # type: ignore[arg-type]
        spool=Spool(),  # type: ignore[arg-type]
        shipments=ShipmentLog(tmp_path),
        buckets=Buckets.of("f"),
        pass_on=pass_on,
        position=0,
    )
    shipper.start()
    shipper.wake(1)
    assert told.wait(120)
    with shipper._moved:
        assert shipper._moved.wait_for(lambda: shipper.shipped == 1, 120)
    shipper.stop(1)
    assert kept == [b"bad 1"]
    assert builder.builds == 102, "two builds, and told once that what it made is sent"
    assert [line for line in server.lines if not line.startswith(b"position")] == [
        b"one 1",
        b"two 1",
    ]
    assert shipper.failure is None


class Slow(Server):
    """Gets through two lines at most, and says what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def write(self, bucket: str, body: bytes | memoryview) -> None:
        self.given.append(bytes(body).count(b"\n"))
        if self.given[-1] > 2:
            self.lines += bytes(body).splitlines()[:1]  # some of it is stored all the same
            raise TooSlow("answered 500: timeout")
        super().write(bucket, body)


def test_what_takes_the_server_too_long_goes_to_it_in_halves(tmp_path: Path) -> None:
    server, lines = Slow(), [b"line %d" % i for i in range(8)]
    ships = Shipper(
        connection=server,  # type: ignore[arg-type]
        builder=Builder(),  # type: ignore[arg-type]
        spool=Spool(),  # type: ignore[arg-type]
        shipments=ShipmentLog(tmp_path),
        buckets=Buckets.of("t"),
        pass_on=lambda _: None,
        position=-1,
    )
    ships._post("raw", memoryview(b"\n".join([*lines, b""])))
    assert server.given == [8, 4, 2, 2, 4, 2, 2]
    assert sorted(set(server.lines)) == lines
    assert ships.trouble is None


@pytest.mark.parametrize(
    ("after", "wait_s"),
    [("7", 7.0), ("99999999999", 60.0), ("9" * 400, 60.0), ("\u00b2", None), ("soon", None)],
)
def test_a_server_says_how_long_to_wait_within_reason(after: str, wait_s: float | None) -> None:
    refusal = Connection(http.Server(url="http://db", org="o", token="t"))._refusal
    away = refusal(503, b"", after)
    assert isinstance(away, Away)
    assert away.wait_s == wait_s
    slow = b'{"code":"internal error","message":"unexpected error writing points: timeout"}'
    assert isinstance(refusal(500, slow, None), TooSlow)
    assert not isinstance(refusal(503, slow, None), TooSlow)


def test_a_shipment_has_no_more_blocks_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "MERGED_BLOCKS", 6)
    built: list[int] = []

    class Counting(Builder):
        def build(self, blocks: list[Any], position: int) -> Shipment:
            built.append(len(blocks))
            return Shipment(position, [])

    spool = waiting.Spool(tmp_path, memory_bytes=1 << 20, disk_bytes=1 << 20)
    for n in range(10):
        one = block([T0 + n], {"temp": np.array([1.0])}, n=n, seq=n)
        spool.put([one, one], n)
    ships = Shipper(
        connection=Server(),  # type: ignore[arg-type]
        builder=Counting(),  # type: ignore[arg-type]
        spool=spool,
        shipments=ShipmentLog(tmp_path),
        buckets=Buckets.of("t"),
        pass_on=lambda _: None,
        position=-1,
    )
    ships.wake(9)
    ships.start()
    assert ships.settle(9, 60.0)
    ships.stop(0.0)
    assert built == [6, 6, 6, 2]


def test_numbers_beyond_a_page_have_a_name_of_their_own() -> None:
    assert names.paged("boot", 0) == "boot"
    assert names.unpaged(names.paged("boot", 3)) == ("boot", 3 << names.SEQ_BITS)
    assert names.unpaged("boot") == ("boot", 0)


@pytest.fixture
def login_page() -> Iterator[tuple[str, threading.Event]]:
    """A proxy before an empty InfluxDB, and whether it asks for a login: with status 200."""
    login = threading.Event()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = self.path.startswith("/query")
            count = body.count(b";") + 1
            answer = msgspec.msgpack.encode({"results": [{}] * count}) if asked else b""
            if login.is_set():
                asked, answer = True, b"<html>please log in</html>"
            self.send_response(200 if asked else 204)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", login
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("late_s", [0, 5])
def test_a_page_that_is_not_the_servers_answer_is_waited_out(
    login_page: tuple[str, threading.Event], tmp_path: Path, late_s: int
) -> None:
    url, login = login_page
    server = http.Server(url=url, org="o", token="t")
    store = InfluxTelemetry(tmp_path / "store", server, now=time.time_ns)
    store.write([block([T0], {"a": np.array([1.0])})], 0)
    assert store.durable_position() == 0
    login.set()
    late = T0 + (5 - 2 * late_s) * SECOND_NS  # a late one is first asked for
    store.write([block([late], {"a": np.array([1.0])}, seq=1)], 1)
    assert store.durable_position() == 0
    assert "answered" in (store.trouble() or "")
    login.clear()
    shipper = store._writer()
    with shipper._moved:
        assert shipper._moved.wait_for(lambda: shipper.shipped == 1, 120)
    assert shipper.failure is None
    store.close()


@pytest.mark.parametrize("answer", [b"", b"\x81", b"{}", b"\x80", b"\xc1", b"\x81\xa1\xff\x01"])
def test_what_is_no_answer_to_a_question_counts_as_away(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    connection = Connection(http.Server(url="http://db", org="o", token="t"))
    monkeypatch.setattr(connection, "_request", lambda *_args: answer)
    with pytest.raises(Away, match="answered"):
        connection.query("ever", ["SHOW SERIES"])
