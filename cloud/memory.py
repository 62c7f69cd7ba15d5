"""Memory that is not used goes back to the system; what stays for good is not collected over.

With its usual settings glibc keeps a heap for each of a dozen threads, and what a snapshot or a
compaction took once stays in them for good: 25 MB with 3,000 devices. Other C libraries are left as
they are. See mallopt(3), malloc_trim(3).
"""

import ctypes
import gc
import sys
from functools import cache
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
ARENAS: Final = 2  #: heaps; threads that hold Python's lock hardly ever meet in one
SPARE: Final = 4 << 20  #: bytes at the end of a heap that stay: the next group takes them again
MAPPED: Final = 1 << 20  #: bytes from which on an array is mapped by itself, and given back whole
#: objects that may come before Python looks at them: those of a group of messages, which all go
#: again with it; at its 700 they would be looked at several times while they are in use
YOUNG: Final = 10_000
#: then all is looked at, which stops everything for 0.15 s and more: as seldom as what is lost
#: meanwhile, no more than the libraries take, allows. 10,000 machines are as many objects
GROWN: Final = 2.0
_whole = 0  #: objects kept when all were last looked at


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def tune() -> None:
    """Bound the heaps, before there are threads."""
    if (library := _glibc()) is not None:
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_TRIM_THRESHOLD, SPARE)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED)


def give_back() -> None:
    """Give what no part of the program uses back to the system; any thread may ask."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def keep() -> None:
    """Leave all that is there now out of Python's collections; reference counts go on.

    The libraries alone are 230,000 objects, which hold everything up for 0.1 s each time.
    """
    global _whole  # noqa: PLW0603  as Python's collections themselves: one of a process
    gc.set_threshold(YOUNG)
    gc.freeze()
    _whole = gc.get_freeze_count()


def keep_more() -> None:
    """Leave also what came since out of the collections; nothing before the first `keep`.

    A machine that became known stays, and thousands of them are walked through each time. Cycles
    that end only later are found once what is kept has grown by `GROWN`: then all is looked at.
    """
    if not _whole:
        return
    if gc.get_freeze_count() <= GROWN * _whole:
        gc.collect()
        gc.freeze()
        return
    gc.unfreeze()
    gc.collect()
    keep()
