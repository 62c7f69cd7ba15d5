"""Batches that wait for the birth which explains their columns. Pure, replayable, bounded.

Time is that of the journal's ticks, so that a replay lets go of the same records at the same place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cloud.journal import Record

MAX_RECORDS: Final = 1000  #: of one device
MAX_BYTES: Final = 64 << 20  #: of all devices
SHARE: Final = MAX_BYTES // 16  #: of one device
WAIT_NS: Final = 3_600 * 10**9  #: no birth comes later than an hour after its readings


@dataclass(slots=True)
class _Lot:
    """What one device has waiting: dictionary -> records in order."""

    bytes: int = 0
    count: int = 0
    records: dict[str, list[Record]] = field(default_factory=dict)


class Parking:
    """The records that wait, per device and dictionary in order."""

    def __init__(self) -> None:
        self._lots: dict[str, _Lot] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return sum(lot.count for lot in self._lots.values())

    def add(self, identity: str, dictionary: str, record: Record) -> bool:
        """Let a record wait; False when there is no room."""
        lot = self._lots.get(identity) or _Lot()
        size = len(record.entry.payload)
        if lot.count >= MAX_RECORDS or lot.bytes + size > SHARE or self._bytes + size > MAX_BYTES:
            return False
        self._lots[identity] = lot
        lot.records.setdefault(dictionary, []).append(record)
        lot.count += 1
        lot.bytes += size
        self._bytes += size
        return True

    def take(self, identity: str, dictionary: str) -> list[Record]:
        """Return the records that a dictionary explains; they no longer wait."""
        lot = self._lots.get(identity)
        records = lot.records.pop(dictionary, []) if lot else []
        size = sum(len(record.entry.payload) for record in records)
        self._bytes -= size
        if lot is not None:
            lot.count -= len(records)
            lot.bytes -= size
            if not lot.records:
                del self._lots[identity]
        return records

    def expired(self, now_ns: int) -> Iterator[Record]:
        """Yield the records that waited too long; they no longer wait."""
        for identity, lot in list(self._lots.items()):
            for dictionary, records in list(lot.records.items()):
                if now_ns - records[0].entry.at_ns < WAIT_NS:
                    continue
                for record in self.take(identity, dictionary):
                    if now_ns - record.entry.at_ns >= WAIT_NS:
                        yield record
                    else:
                        self.add(identity, dictionary, record)

    def oldest(self) -> int | None:
        """Return the position of the oldest record that waits."""
        lots = self._lots.values()
        return min((r[0].n for lot in lots for r in lot.records.values()), default=None)

    def positions(self, identity: str) -> list[tuple[str, int]]:
        """Return dictionary and position of a device's records."""
        lot = self._lots.get(identity) or _Lot()
        return [(name, record.n) for name, records in lot.records.items() for record in records]
