"""The whole ledger as one stream, the same from every database: for backups and for moving house.

A stream is zstandard with its checksum over frames of `length u32 little-endian · msgpack`. The
first frame is the head (format, revision of the tables, columns of each), then one frame a row,
[table number, values], tables in the order in which rows refer to each other, rows by primary key,
and last the number of rows of each table. A stream without the last frame is cut off.
"""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
import sqlalchemy as sa
import zstandard

from cloud.errors import StoreCorrupt, StoreError
from cloud.ledger.database import Database

FORMAT: Final = 1
GROUP: Final = 500  #: rows written to the database at once
_LENGTH: Final = struct.Struct("<I")
_LARGEST: Final = 64 << 20  #: bytes of one frame
OWN: Final = "alembic_version"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds."""

    format: int
    revision: str
    tables: tuple[tuple[str, tuple[str, ...]], ...]  #: names with their columns


def dump(database: Database, file: BinaryIO) -> dict[str, int]:
    """Write everything as it is at one moment; return the rows of each table."""
    revision = database.revision()
    if revision is None:
        raise StoreError(f"{database.name} has no tables: there is nothing to back up")
    counts: dict[str, int] = {}
    with (
        database.reading() as connection,
        zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
            file, closefd=False
        ) as out,
    ):
        tables = _tables(connection)
        columns = tuple((str(one.name), tuple(str(c.name) for c in one.columns)) for one in tables)
        _write(out, Head(format=FORMAT, revision=revision, tables=columns))
        stream = connection.execution_options(yield_per=GROUP)
        for number, table in enumerate(tables):
            name = str(table.name)
            counts[name] = 0
            for row in stream.execute(sa.select(table).order_by(*table.primary_key.columns)):
                _write(out, (number, tuple(row)))
                counts[name] += 1
        _write(out, counts)
    return counts


def rows_of(database: Database) -> Iterator[tuple[str, bytes]]:
    """Yield every row with its table's name, as bytes in which texts stand as they are."""
    with database.reading() as connection:
        for table in _tables(connection):
            for row in connection.execute(sa.select(table)):
                yield str(table.name), msgspec.msgpack.encode(tuple(row))


def rows_in(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rows of a stream as bytes in which texts stand as they are.

    `StoreCorrupt` for a stream that is damaged or cut off.
    """
    frames = _frames(file)
    _head(frames)
    last = b""
    for frame in frames:
        if last:
            yield last
        last = frame
    try:
        whole = isinstance(msgspec.msgpack.decode(last), dict)  # the counts stand at the end
    except msgspec.DecodeError:
        whole = False
    if not whole:
        raise StoreCorrupt("the dump is cut off; use another backup")


def load(database: Database, file: BinaryIO) -> dict[str, int]:
    """Fill an empty database from a stream; return the rows of each table.

    The stream is read once to verify it. Then the tables are made as they were when it was written,
    filled in one transaction, and brought up to date. `StoreCorrupt` for a stream that is cut off
    or damaged.
    """
    for _ in _frames(file):
        pass
    file.seek(0)
    frames = _frames(file)
    head = _head(frames)
    if database.revision() is not None:
        raise StoreError(f"{database.name} is not empty: restore into a new database")
    with database.writing() as connection:
        database.migrate(head.revision)
        try:
            counts = _fill(connection, head, frames)
        except (msgspec.DecodeError, ValueError, IndexError, TypeError, KeyError) as error:
            raise StoreCorrupt(f"the dump is damaged: {error}; use another backup") from error
        _renumber(connection)
        database.migrate()
    return counts


def _head(frames: Iterator[bytes]) -> Head:
    try:
        head = msgspec.msgpack.decode(next(frames), type=Head)
    except (StopIteration, msgspec.DecodeError, ValueError) as error:
        raise StoreCorrupt("this is no dump of a ledger") from error
    if head.format != FORMAT:
        raise StoreError(f"the dump has format {head.format}; this program reads {FORMAT}")
    return head


def _fill(connection: sa.Connection, head: Head, frames: Iterator[bytes]) -> dict[str, int]:
    tables = {str(one.name): one for one in _tables(connection)}
    order = [(tables[name], names) for name, names in head.tables]
    for table, _ in order:
        if connection.scalar(sa.select(sa.func.count()).select_from(table)):
            connection.execute(sa.delete(table))  # what a migration filled in by itself
    counts = dict.fromkeys((name for name, _ in head.tables), 0)
    group: list[dict[str, Any]] = []
    at = 0
    for frame in frames:
        item = msgspec.msgpack.decode(frame)
        number = item[0] if isinstance(item, list) else -1
        if group and (number != at or len(group) == GROUP):
            connection.execute(sa.insert(order[at][0]), group)
            group = []
        if number == -1:
            if item != counts:
                raise StoreCorrupt(f"the dump says {item} rows and holds {counts}")
            if next(frames, None) is not None:
                raise StoreCorrupt("the dump goes on after its end")
            return counts
        at = number
        group.append(dict(zip(order[number][1], item[1], strict=True)))
        counts[head.tables[number][0]] += 1
    raise StoreCorrupt("the dump is cut off; use another backup")


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """Return the tables as the database has them, those referred to first."""
    found = sa.MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != OWN]


def _renumber(connection: sa.Connection) -> None:
    """Let numbers that the database gives out go on after the highest."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables(connection):
        for column in table.primary_key.columns:
            if not isinstance(column.type, sa.Integer):
                continue
            sequence = connection.scalar(
                sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))
            )
            highest = connection.scalar(sa.select(sa.func.max(column)))
            if sequence is not None and highest is not None:
                connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _write(out: zstandard.ZstdCompressionWriter, value: object) -> None:
    body = msgspec.msgpack.encode(value)
    out.write(_LENGTH.pack(len(body)) + body)


def _frames(file: BinaryIO) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as reader:
        try:
            while head := _exactly(reader, _LENGTH.size):
                (length,) = _LENGTH.unpack(head)
                if length > _LARGEST:
                    raise StoreCorrupt(f"the dump has a frame of {length} bytes: it is damaged")
                yield _exactly(reader, length)
        except (zstandard.ZstdError, struct.error) as error:
            raise StoreCorrupt(f"the dump is damaged: {error}; use another backup") from error


def _exactly(reader: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := reader.read(size - len(parts))):
        parts += part
    return bytes(parts)
