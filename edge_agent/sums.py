"""Checksums of the outbox's rows: SQLite does not see a flipped bit in what is stored.

A batch that changed would be taken for a measurement, a counter for a receipt that nobody gave.
Rows of earlier versions have no checksum (`None`) until they are written again.
"""

from zlib import crc32

from edge_agent.outbox_file import Entry


def of_batch(boot: int, entry: Entry) -> int:
    """Return the checksum of a batch of a boot's number."""
    rank, seq, samples, at_ns, payload = entry
    where = f"{boot} [{rank!r}, {seq!r}, {samples!r}, {at_ns!r}]"
    return crc32(payload, crc32(where.encode()))


def of_counter(boot: str, n: int, rank: int, following: int, received: int) -> int:
    """Return the checksum of a stream's counters, with the boot's name and number."""
    return crc32(f"{boot} {n} {rank} {following} {received}".encode())


def of_gap(n: int, rank: int, first: int, last: int, reason: str) -> int:
    """Return the checksum of a gap."""
    return crc32(f"{n} {rank} {first} {last} {reason}".encode())


def fits(said: object, right: int) -> bool:
    """Whether a row is as it was written."""
    return said is None or said == right
