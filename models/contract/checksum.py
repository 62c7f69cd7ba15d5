"""The CRC-32 of bytes from those of their two parts, so that none is read twice.

What zlib's `crc32_combine` does, by tables for one length of the second part: a CRC-32 is linear in
what was there before, so that its change by `size` further bytes is that of its 32 bits.
"""

from array import array
from typing import NamedTuple
from zlib import crc32


class Shift:
    """How a CRC-32 changes when `size` bytes follow. Making one takes 33 checksums of so many."""

    __slots__ = ("_tables",)

    def __init__(self, size: int) -> None:
        zeros = bytes(size)
        nothing = crc32(zeros)
        bits = [crc32(zeros, 1 << bit) ^ nothing for bit in range(32)]
        self._tables = tuple(_table(bits[first : first + 8]) for first in (0, 8, 16, 24))

    def join(self, before: int, behind: int) -> int:
        """Return the CRC-32 of both parts from that of each."""
        a, b, c, d = self._tables
        return (
            a[before & 255]
            ^ b[before >> 8 & 255]
            ^ c[before >> 16 & 255]
            ^ d[before >> 24]
            ^ behind
        )


def _table(bits: list[int]) -> "array[int]":
    out = array("Q", [0])
    for bit in bits:
        out.extend([bit ^ known for known in out])
    return out


class Tail(NamedTuple):
    """The last `size` bytes of a payload: their CRC-32, and how it is joined to what is before."""

    size: int
    check: int
    shift: Shift
