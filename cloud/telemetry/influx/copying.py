"""Copying the three buckets into files and back, for `forewarn backup` and `forewarn restore`.

What is copied is line protocol, read series by series through the same token that reads and writes
readings; the server's own backup would need its operator's. While it is read, nothing is shipped.
The shipment in hand comes last (sent or not, its bytes change nothing when they are there), then
the position it reaches: a store that opens on such buckets goes on from there.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import zstandard

from cloud.errors import StoreBusy, StoreCorrupt, StoreError
from cloud.telemetry.influx import setup
from cloud.telemetry.influx.http import Connection, Rejected, Server, Table
from cloud.telemetry.influx.influxql import FLOOR_NS, quoted, select, since, source, text
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.names import position_line
from cloud.telemetry.influx.setup import Buckets

ROWS: Final = 10_000  #: of one series in one answer, at most
CELLS: Final = 4_000_000  #: of one answer; a page has every field of its measurement
ASKED: Final = 50  #: series in one request
BODY_BYTES: Final = 1 << 20
LINE_BYTES: Final = 16 << 20  #: of one point, at most; 4,096 signals take 0.6 MB
HOLD_S: Final = 60.0  #: how long a shipment that is under way may take
SUFFIX: Final = ".lines.zst"
log = logging.getLogger(__name__)
Series = dict[str, str]  #: the tags of one series


class InfluxCopy:
    """Copies the store of one installation; `folder` is the store's own."""

    def __init__(self, folder: Path, server: Server, prefix: str) -> None:
        self._folder = folder
        self._server = server
        self._buckets = Buckets.of(prefix)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Let nothing be shipped meanwhile; give the position that the server has.

        Readings wait as they do for a slow server. `StoreBusy` when a shipment does not end.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        shipments = ShipmentLog(self._folder)
        ends = time.monotonic() + HOLD_S
        while True:
            try:
                fd = shipments.seize()
                break
            except StoreBusy as error:
                if time.monotonic() > ends:
                    raise StoreBusy(
                        f"{self._server.url}: the service has been sending for {HOLD_S:.0f} s "
                        "(is the server away or slow?); try again when it keeps up"
                    ) from error
                time.sleep(0.05)
        try:
            last = ShipmentLog(self._folder).last
            yield -1 if last is None else last.position
        finally:
            os.close(fd)

    def export(self, folder: Path) -> int:
        """Write each bucket into a file of a new folder; return how many points were there."""
        folder.mkdir(parents=True)
        last = ShipmentLog(self._folder).last
        connection = Connection(self._server)
        points = 0
        try:
            for name, bucket in self._named():
                in_hand = [body for target, body in last.bodies if target == bucket] if last else []
                if last and bucket == self._buckets.ever:
                    in_hand.append(position_line(last.position))
                with (
                    (folder / f"{name}{SUFFIX}").open("xb") as file,
                    zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
                        file, closefd=False
                    ) as out,
                ):
                    points += _export(connection, bucket, out)
                    out.write(b"".join(in_hand))
        finally:
            connection.close()
        return points

    @contextmanager
    def loaded(self, folder: Path) -> Iterator[int]:
        """Fill the empty buckets from such a folder; give how many lines the server refused.

        Those are past the retention that the settings have now. When filling or what is done
        within fails, the buckets are emptied again.
        """
        connection = Connection(self._server)
        try:
            self._must_be_empty(connection)
            try:
                yield sum(
                    _store(connection, bucket, body)
                    for name, bucket in self._named()
                    for body in bodies(folder / f"{name}{SUFFIX}")
                )
            except BaseException:
                for bucket in self._buckets:
                    setup.delete(self._server, bucket, "")
                raise
        finally:
            connection.close()

    def _named(self) -> Iterator[tuple[str, str]]:
        return zip(("raw", "minute", "ever"), self._buckets, strict=True)

    def _must_be_empty(self, connection: Connection) -> None:
        for bucket in self._buckets:
            if connection.query(bucket, ["SHOW SERIES LIMIT 1"])[0]:
                raise StoreError(
                    f"{self._server.url}: bucket '{bucket}' is not empty: name another "
                    "`telemetry.bucket` and run `forewarn setup influx`"
                )


def _export(connection: Connection, bucket: str, out: zstandard.ZstdCompressionWriter) -> int:
    points = 0
    for measurement in _column(connection, bucket, "SHOW MEASUREMENTS"):
        keys = _column(connection, bucket, f"SHOW SERIES FROM {quoted(measurement)}")
        fields = _column(connection, bucket, f"SHOW FIELD KEYS FROM {quoted(measurement)}")
        rows = max(1, min(ROWS, CELLS // (ASKED * (len(fields) + 1))))
        for at in range(0, len(keys), ASKED):
            waiting = dict.fromkeys(keys[at : at + ASKED], FLOOR_NS)
            while waiting:
                statements = [_page(bucket, measurement, *one, rows) for one in waiting.items()]
                answers = connection.query(bucket, statements)
                following: dict[str, int] = {}
                for key, tables in zip(waiting, answers, strict=True):
                    for table in tables:
                        out.write(b"".join(_lines(key, table)))
                        points += len(table.rows)
                        if len(table.rows) == rows:
                            following[key] = int(table.rows[-1][0]) + 1
                waiting = following
    return points


def _column(connection: Connection, bucket: str, statement: str) -> list[str]:
    return [row[0] for table in connection.query(bucket, [statement])[0] for row in table.rows]


def _tags(key: str) -> Series:
    """Return the tags of a series' key; our names need no escaping there."""
    return dict(part.split("=", 1) for part in key.split(",")[1:])


def _page(bucket: str, measurement: str, key: str, start_ns: int, rows: int) -> str:
    conditions = [f"{quoted(tag)} = {text(value)}" for tag, value in _tags(key).items()]
    return select("*", source(bucket, measurement), *conditions, since(start_ns), limit=rows)


def _lines(key: str, table: Table) -> Iterator[bytes]:
    tags = _tags(key)
    fields: Sequence[tuple[int, str]] = [
        (at, name) for at, name in enumerate(table.columns) if at and name not in tags
    ]
    for row in table.rows:
        values = ",".join(
            [f"{name}={_value(row[at])}" for at, name in fields if row[at] is not None]
        )
        yield f"{key} {values} {row[0]}\n".encode()


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def bodies(path: Path) -> Iterator[bytes]:
    """Yield the lines of a bucket's file, many at once.

    Raises:
        StoreCorrupt: it is damaged, ends within a line, or has one that no store of ours made.
    """
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as lines:
        rest = b""
        try:
            while piece := lines.read(BODY_BYTES):
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                if whole:
                    yield whole + newline
                if len(rest) > LINE_BYTES:
                    break
        except zstandard.ZstdError as error:
            raise StoreCorrupt(f"{path}: {error}; use another backup") from error
    if rest:
        raise StoreCorrupt(f"{path}: a line of {len(rest)} bytes has no end; use another backup")


def _store(connection: Connection, bucket: str, body: bytes) -> int:
    try:
        connection.write(bucket, body)
    except Rejected as error:
        if "retention" not in error.reason:
            raise
        log.warning("bucket %s: %s", bucket, error.reason)
        return body.count(b"\n")
    return 0
