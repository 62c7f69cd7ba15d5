"""What could not be read: kept within bounds, beyond them by hash, in the end only counted."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from cloud.ledger import tables as t
from cloud.ledger.base import Part, chunks, unpack
from cloud.ledger.records import QuarantineCount, QuarantineRow, SetAside

MESSAGES: Final = 10_000  #: kept with their payload
BYTES: Final = 100_000_000  #: of payloads kept
SHARE: Final = 10  #: one device gets at most a tenth of either
HASHES: Final = 100_000  #: rows in all; beyond that there is only the count
DETAIL: Final = 300  #: characters
PREFIX: Final = ("pm", "1")

Key = tuple[int | str, ...]


def device_of(topic: str) -> str:
    """Return the device that a topic names ("" = none of ours)."""
    parts = topic.split("/")
    return parts[2] if len(parts) > 3 and tuple(parts[:2]) == PREFIX else ""


def key_of(aside: SetAside) -> str:
    """Return what recognises the same thing set aside again in a replay."""
    digest = hashlib.sha256()
    for part in (str(aside.n), aside.topic, str(aside.reason), aside.detail):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    digest.update(aside.payload)
    return digest.hexdigest()


class Quarantine(Part):
    """Adds, lists, counts."""

    def quarantine_add(self, asides: Sequence[SetAside]) -> int:
        """Keep what could not be read, within bounds; return how many were new.

        The same again (a replay) is recognised and counts once; beyond `HASHES` rows, where only
        the count grows, it is counted again.
        """
        if not asides:
            return 0
        with self._db.writing() as connection:
            fresh = self._unknown(connection, asides)
            if not fresh:
                return 0
            tally = _Tally(connection)
            rows = [self._row(aside, key, tally) for key, aside in fresh.items()]
            kept = [row for row in rows if row is not None]
            if kept:
                connection.execute(sa.insert(t.quarantine), kept)
            for device, reason in tally.write(connection):
                subject = ("quarantine", device or "-", None)
                now = self._clock()
                detail = {"reason": reason}
                self._log(connection, subject, "first", at_ns=now, actor="ingest", detail=detail)
        return len(fresh)

    def _unknown(
        self, connection: sa.Connection, asides: Sequence[SetAside]
    ) -> dict[str, SetAside]:
        by_key = {key_of(aside): aside for aside in asides}
        for part in chunks(list(by_key)):
            query = sa.select(t.quarantine.c.key).where(t.quarantine.c.key.in_(part))
            for key in connection.scalars(query).all():
                del by_key[key]
        return by_key

    def _row(self, aside: SetAside, key: str, tally: "_Tally") -> dict[str, Any] | None:
        device, reason, size = device_of(aside.topic), str(aside.reason), len(aside.payload)
        whole = tally.add(device, reason, size, aside.at_ns)
        if not whole and tally.rows >= HASHES:
            return None
        tally.rows += 1
        return {
            "id": self._new_id(),
            "recorded_ns": aside.at_ns,
            "key": key,
            "device": device,
            "n": aside.n,
            "topic": aside.topic,
            "reason": reason,
            "detail": aside.detail[:DETAIL],
            "sha256": hashlib.sha256(aside.payload).hexdigest(),
            "size": size,
            "payload": aside.payload if whole else None,
        }

    def quarantine(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        device: str | None = None,
        reason: str | None = None,
    ) -> tuple[list[QuarantineRow], Key | None]:
        """List what was set aside, newest first."""
        rows = sa.select(t.quarantine)
        if device is not None:
            rows = rows.where(t.quarantine.c.device == device)
        if reason is not None:
            rows = rows.where(t.quarantine.c.reason == reason)
        return self._page(rows, QuarantineRow, t.quarantine.c.id, after, limit)

    def quarantine_item(self, item_id: str) -> QuarantineRow:
        """Return one item."""
        with self._db.reading() as connection:
            return self._get(connection, t.quarantine, QuarantineRow, item_id)

    def quarantine_counts(self) -> list[QuarantineCount]:
        """Return how many were set aside, by device and reason."""
        table = t.quarantine_count
        query = sa.select(table).order_by(table.c.device, table.c.reason)
        with self._db.reading() as connection:
            return [unpack(QuarantineCount, row) for row in connection.execute(query)]


class _Room:
    """How much may still be kept."""

    def __init__(self, messages: int, size: int) -> None:
        self._messages, self._bytes = messages, size

    def holds(self, size: int) -> bool:
        """Whether one more of a size fits."""
        return self._messages > 0 and self._bytes >= size

    def take(self, messages: int, size: int) -> None:
        """Use up room."""
        self._messages -= messages
        self._bytes -= size


class _Tally:
    """The counts while a group is added."""

    def __init__(self, connection: sa.Connection) -> None:
        table = t.quarantine_count
        self._counts = {
            (row.device, row.reason): row._asdict() for row in connection.execute(sa.select(table))
        }
        self._old = set(self._counts)
        self._touched: set[tuple[str, str]] = set()
        self._total = _Room(MESSAGES, BYTES)
        self._device: dict[str, _Room] = {}
        for (device, _), row in self._counts.items():
            self._room(device).take(row["kept"], row["bytes"])
            self._total.take(row["kept"], row["bytes"])
        self.rows = connection.scalar(sa.select(sa.func.count()).select_from(t.quarantine)) or 0

    def _room(self, device: str) -> "_Room":
        return self._device.setdefault(device, _Room(MESSAGES // SHARE, BYTES // SHARE))

    def add(self, device: str, reason: str, size: int, at_ns: int) -> bool:
        """Count one, received then; return whether its payload may be kept."""
        room = self._room(device)
        whole = room.holds(size) and self._total.holds(size)
        key = (device, reason)
        row = self._counts.setdefault(
            key,
            {
                "device": device,
                "reason": reason,
                "count": 0,
                "kept": 0,
                "bytes": 0,
                "last_ns": at_ns,
            },
        )
        row["count"] += 1
        row["last_ns"] = max(row["last_ns"], at_ns)
        self._touched.add(key)
        if whole:
            row["kept"] += 1
            row["bytes"] += size
            room.take(1, size)
            self._total.take(1, size)
        return whole

    def write(self, connection: sa.Connection) -> list[tuple[str, str]]:
        """Write the counts; return the pairs that were set aside for the first time."""
        table = t.quarantine_count
        first = sorted(self._touched - self._old)
        for key in sorted(self._touched & self._old):
            connection.execute(
                sa.update(table)
                .where(table.c.device == key[0], table.c.reason == key[1])
                .values(self._counts[key])
            )
        if first:
            connection.execute(sa.insert(table), [self._counts[key] for key in first])
        return first
