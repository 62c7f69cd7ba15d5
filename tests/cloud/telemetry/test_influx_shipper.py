"""The writer's order of things: nothing in hand is dropped, whoever is busy or refuses."""

import threading
from pathlib import Path
from typing import Any

import pytest

from cloud.errors import StoreBusy
from cloud.telemetry.influx import names
from cloud.telemetry.influx.http import Rejected
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.setup import Buckets
from cloud.telemetry.influx.shipment import Shipment
from cloud.telemetry.influx.shipper import Shipper


class Server:
    """Takes every line but `bad` ones."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, _bucket: str, body: bytes) -> None:
        if b"bad" in body:
            raise Rejected(400, "unable to parse")
        self.lines += body.splitlines()


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


def test_a_refused_line_waits_for_a_busy_ledger_and_the_rest_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.telemetry.influx.shipper.FIRST_WAIT_S", 0.01)
    server, kept, busy = Server(), list[bytes](), iter([True, True, False])
    told = threading.Event()

    def pass_on(refused: list[Any]) -> None:
        if next(busy):
            raise StoreBusy("the ledger is locked")
        kept.extend(one.line for one in refused)
        told.set()

    shipper = Shipper(
        connection=server,  # type: ignore[arg-type]
        builder=Builder(),  # type: ignore[arg-type]
        spool=Spool(),  # type: ignore[arg-type]
        shipments=ShipmentLog(tmp_path),
        buckets=Buckets.of("f"),
        pass_on=pass_on,
        position=0,
    )
    shipper.start()
    shipper.wake(1)
    assert told.wait(20)
    with shipper._moved:
        assert shipper._moved.wait_for(lambda: shipper.shipped == 1, 20)
    shipper.stop(1)
    assert kept == [b"bad 1"]
    assert [line for line in server.lines if not line.startswith(b"position")] == [
        b"one 1",
        b"two 1",
    ]
    assert shipper.failure is None


def test_numbers_beyond_a_page_have_a_name_of_their_own() -> None:
    assert names.paged("boot", 0) == "boot"
    assert names.unpaged(names.paged("boot", 3)) == ("boot", 3 << names.SEQ_BITS)
    assert names.unpaged("boot") == ("boot", 0)
