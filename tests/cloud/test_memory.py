"""Memory that is not used goes back to the system."""

import ctypes
import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from cloud import memory

BLOCK, BLOCKS = 1_000, 60_000


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held_and_given_back() -> None:
    """Free everything below a block that stays: the heap cannot shrink from its end."""
    memory.tune()
    library = ctypes.CDLL(None)
    library.calloc.restype = ctypes.c_void_p
    blocks = [library.calloc(1, BLOCK) for _ in range(BLOCKS)]
    for block in blocks[:-1]:
        library.free(ctypes.c_void_p(block))
    before = resident()
    memory.give_back()
    print(before - resident())


@pytest.mark.skipif(memory._glibc() is None, reason="another C library is left as it is")
def test_what_a_pinned_heap_holds_is_given_back() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cloud.test_memory"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) > BLOCK * BLOCKS // 2


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    memory._glibc.cache_clear()
    try:
        memory.tune()
        memory.give_back()
    finally:
        memory._glibc.cache_clear()


class Ring:
    """Something that only a collection ends."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_kept_is_not_looked_at_again_and_what_comes_later_is() -> None:
    before = weakref.ref(Ring())
    memory.keep()
    try:
        after = weakref.ref(Ring())
        gc.collect()
        assert before() is not None
        assert after() is None
    finally:
        gc.unfreeze()


if __name__ == "__main__":
    held_and_given_back()
