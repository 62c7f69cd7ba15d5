"""The quick CRC-32 beside zlib's."""

import zlib

import numpy as np
import pytest

from cloud.telemetry.influx.crc import LEAST, crc32

BYTES = np.random.default_rng(3).integers(0, 256, 4 * LEAST, np.uint8).tobytes()


@pytest.mark.parametrize("before", [0, 1, 0x12345678, 0xFFFFFFFF])
@pytest.mark.parametrize(
    "size", [0, LEAST - 1, LEAST, LEAST + 1, LEAST + 63, LEAST + 64, 4 * LEAST - 16]
)
def test_it_is_zlibs_from_any_byte_on_and_behind_any_other(size: int, before: int) -> None:
    for first in (0, 1, 7, 16):
        part = memoryview(BYTES)[first : first + size]
        assert crc32(part, before) == zlib.crc32(part, before)
        assert crc32(bytearray(part), before) == zlib.crc32(part, before)


def test_a_body_in_parts_has_the_same_as_in_one() -> None:
    assert crc32(BYTES[LEAST:], crc32(BYTES[:LEAST])) == zlib.crc32(BYTES)


def test_every_changed_bit_shows() -> None:
    whole = crc32(BYTES)
    for at in range(0, len(BYTES), 997):
        changed = bytearray(BYTES)
        changed[at] ^= 1 << at % 8
        assert crc32(changed) != whole
