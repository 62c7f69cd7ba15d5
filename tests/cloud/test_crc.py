"""The quick CRC-32 beside zlib's."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from cloud.crc import LEAST, crc32, crc32s, of_each, of_joined

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


def test_those_of_many_parts_are_zlibs() -> None:
    sizes = np.array([0, 1, 15, 16, 63, 64, 65, 127, 128, 200, 8_000, LEAST + 1])
    firsts = np.arange(len(sizes)) * 3
    data, before = np.frombuffer(BYTES, np.uint8), np.arange(len(sizes), dtype=np.uint32) * 77_777
    ends = firsts + sizes
    spans = [(int(first), int(end)) for first, end in zip(firsts, ends, strict=True)]
    alone = [zlib.crc32(BYTES[first:end]) for first, end in spans]
    assert crc32s(data, firsts, ends).tolist() == alone
    behind = [zlib.crc32(BYTES[a:b], int(c)) for (a, b), c in zip(spans, before, strict=True)]
    assert crc32s(data, firsts, ends, before).tolist() == behind


@pytest.mark.parametrize(
    "told",
    [
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2,-pclmul"},
    ],
)
def test_numba_may_be_told_of_a_lesser_processor(told: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import zlib; import numpy as np; from cloud.crc import LEAST, crc32, crc32s;"
        "assert crc32(bytes(LEAST)) == zlib.crc32(bytes(LEAST));"
        "whole = np.zeros(LEAST, np.uint8), np.array([0]), np.array([LEAST]);"
        "assert crc32s(*whole).tolist() == [zlib.crc32(bytes(LEAST))]"
    )
    folders = {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, env=os.environ | folders | told
    )
    assert done.returncode == 0


def test_a_body_in_parts_has_the_same_as_in_one() -> None:
    assert crc32(BYTES[LEAST:], crc32(BYTES[:LEAST])) == zlib.crc32(BYTES)


def test_that_of_two_parts_together_follows_from_theirs() -> None:
    sizes = [0, 1, 7, 64, 64, 8_000, 3 * LEAST]
    parts = [(BYTES[7 : 7 + first], BYTES[:size]) for first in (0, 1, 99) for size in sizes]
    firsts, seconds = of_each([one for one, _ in parts]), of_each([other for _, other in parts])
    behind = np.array([len(other) for _, other in parts])
    whole = [zlib.crc32(one + other) for one, other in parts]
    assert of_joined(firsts, seconds, behind).tolist() == whole
    assert of_each([]).tolist() == []


def test_every_changed_bit_shows() -> None:
    whole = crc32(BYTES)
    for at in range(0, len(BYTES), 997):
        changed = bytearray(BYTES)
        changed[at] ^= 1 << at % 8
        assert crc32(changed) != whole
