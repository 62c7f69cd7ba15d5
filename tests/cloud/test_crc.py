"""The quick CRC-32 beside zlib's."""

import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.crc import LEAST, crc32, moved_by, product
from models.life.compiled import entry

BYTES = np.random.default_rng(3).integers(0, 256, 4 * LEAST, np.uint8).tobytes()


@pytest.mark.parametrize("before", [0, 1, 0x12345678, 0xFFFFFFFF, -1, 1 << 40 | 7])
@pytest.mark.parametrize(
    "size", [0, LEAST - 1, LEAST, LEAST + 1, LEAST + 63, LEAST + 64, 4 * LEAST - 16]
)
def test_it_is_zlibs_from_any_byte_on_and_behind_any_other(size: int, before: int) -> None:
    for first in (0, 1, 7, 16):
        part = memoryview(BYTES)[first : first + size]
        assert crc32(part, before) == zlib.crc32(part, before)
        assert crc32(bytearray(part), before) == zlib.crc32(part, before)


@pytest.mark.parametrize(
    "told",
    [
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2,-pclmul"},
    ],
)
def test_numba_may_be_told_of_a_lesser_processor(told: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import os, zlib; from cloud.crc import LEAST, crc32; data = os.urandom(LEAST + 13);"
        "assert crc32(data, 7) == zlib.crc32(data, 7)"
    )
    folders = {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, env=os.environ | folders | told
    )
    assert done.returncode == 0


def test_a_body_in_parts_has_the_same_as_in_one() -> None:
    assert crc32(BYTES[LEAST:], crc32(BYTES[:LEAST])) == zlib.crc32(BYTES)


@entry
def _together(one: Any, other: Any, size: Any, out: Any) -> None:
    out[0] = product(moved_by(size), one) ^ other


def test_that_of_two_parts_together_follows_from_theirs() -> None:
    out = np.zeros(1, np.uint32)
    for first in (0, 1, 99):
        one = BYTES[7 : 7 + first]
        for size in (0, 1, 7, 64, 8_000, 3 * LEAST):
            other = BYTES[:size]
            _together(np.uint32(zlib.crc32(one)), np.uint32(zlib.crc32(other)), size, out)
            assert out[0] == zlib.crc32(one + other)


def test_every_changed_bit_shows() -> None:
    whole = crc32(BYTES)
    for at in range(0, len(BYTES), 997):
        changed = bytearray(BYTES)
        changed[at] ^= 1 << at % 8
        assert crc32(changed) != whole
