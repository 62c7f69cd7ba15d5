"""Batches that wait for the birth which explains their columns. Pure, replayable, bounded.

Time is that of the journal's ticks, so that a replay lets go of the same records at the same place.
"""

from collections.abc import Iterator
from typing import Final

from cloud.journal import Record

MAX_RECORDS: Final = 1000  #: of one device
MAX_BYTES: Final = 64 << 20  #: of all devices
WAIT_NS: Final = 3_600 * 10**9  #: no birth comes later than an hour after its readings


class Parking:
    """The records that wait, per device in order."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Record]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, identity: str, record: Record) -> bool:
        """Let a record wait; False when there is no room."""
        known = self._waiting.get(identity, [])
        size = len(record.entry.payload)
        if len(known) >= MAX_RECORDS or self._bytes + size > MAX_BYTES:
            return False
        self._waiting.setdefault(identity, known).append(record)
        self._bytes += size
        return True

    def take(self, identity: str) -> list[Record]:
        """Return a device's records; they no longer wait."""
        records = self._waiting.pop(identity, [])
        self._bytes -= sum(len(record.entry.payload) for record in records)
        return records

    def expired(self, now_ns: int) -> Iterator[Record]:
        """Yield the records that waited too long; they no longer wait."""
        for identity, records in list(self._waiting.items()):
            if now_ns - records[0].entry.at_ns < WAIT_NS:
                continue
            for record in self.take(identity):
                if now_ns - record.entry.at_ns >= WAIT_NS:
                    yield record
                else:
                    self.add(identity, record)

    def oldest(self) -> int | None:
        """Return the position of the oldest record that waits."""
        return min((records[0].n for records in self._waiting.values()), default=None)

    def positions(self, identity: str) -> list[int]:
        """Return the positions of a device's records."""
        return [record.n for record in self._waiting.get(identity, ())]
