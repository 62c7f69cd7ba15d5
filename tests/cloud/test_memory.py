"""Memory that is not used goes back to the system."""

import ctypes
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
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


@pytest.fixture
def again() -> Iterator[None]:
    """Let everything be collected again afterwards."""
    yield
    gc.unfreeze()
    memory._whole = 0


@pytest.mark.usefixtures("again")
def test_what_is_kept_is_not_looked_at_again_and_what_comes_later_is() -> None:
    before = weakref.ref(Ring())
    memory.keep()
    after = weakref.ref(Ring())
    gc.collect()
    assert before() is not None
    assert after() is None


@pytest.mark.usefixtures("again")
def test_what_came_since_is_kept_too_but_for_what_has_ended() -> None:
    memory.keep()
    known, ended = Ring(), weakref.ref(Ring())
    memory.keep_more()
    assert ended() is None
    assert not any(item is known for item in gc.get_objects())


@pytest.mark.usefixtures("again")
def test_a_ring_that_ends_after_it_was_kept_is_collected_once_enough_came() -> None:
    memory.keep()
    ring = Ring()
    memory.keep_more()
    ended = weakref.ref(ring)
    del ring
    memory.keep_more()
    assert ended() is not None
    came = [Ring() for _ in range(int(memory._whole * memory.GROWN))]
    memory.keep_more()  # keeps them
    memory.keep_more()
    assert ended() is None
    del came


def test_nothing_is_kept_where_nobody_asked_for_it() -> None:
    memory.keep_more()
    assert gc.get_freeze_count() == 0


if __name__ == "__main__":
    held_and_given_back()
