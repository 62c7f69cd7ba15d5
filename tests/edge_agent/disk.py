"""A disk that fails SQLite's reads and writes, as the system would say it (Linux)."""

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

NAMES = {"read": "read", "pread": "read", "pread64": "read"} | dict.fromkeys(
    ("write", "pwrite", "pwrite64"), "write"
)


class Call(NamedTuple):
    """What SQLite asks of the disk: to read or to write where in which file."""

    operation: str
    name: str
    offset: int
    inode: int


Rule = Callable[[Call], int]  #: returns an errno, 0 for none


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_: ClassVar[Any] = [
        *((name, ctypes.c_int) for name in ("version", "size", "longest")),
        *((f"p{i}", ctypes.c_void_p) for i in range(3 + 13)),
        ("set_system_call", ctypes.c_void_p),
    ]


def failing(rule: Rule) -> contextlib.AbstractContextManager[list[Call]]:
    """Let the disk fail what the rule names; the list holds what it failed."""
    found = re.findall(r"\S*libsqlite3\S*", Path("/proc/self/maps").read_text()) if _linux() else []
    if not found:
        pytest.skip("needs Linux and a shared SQLite")
    return _failing(ctypes.CDLL(found[0]), rule)


def _linux() -> bool:
    return Path("/proc/self/maps").exists()


@contextlib.contextmanager
def _failing(library: ctypes.CDLL, rule: Rule) -> Iterator[list[Call]]:
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    exchange = kind(vfs.contents.set_system_call)
    failed: list[Call] = []
    calls = {name: _call(name, rule, failed) for name in NAMES}
    for name, call in calls.items():
        exchange(vfs, name.encode(), ctypes.cast(call, ctypes.c_void_p))
    try:
        yield failed
    finally:
        for name in calls:
            exchange(vfs, name.encode(), None)


def _call(name: str, rule: Rule, failed: list[Call]) -> Any:
    whole = getattr(ctypes.CDLL(None, use_errno=True), name)
    whole.restype = ctypes.c_ssize_t
    at = [ctypes.c_int64] if name.startswith("p") else []
    types = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, *at]
    whole.argtypes = types

    def call(file: int, buffer: int, size: int, *at: int) -> int:
        path = Path(f"/proc/self/fd/{file}").readlink()
        offset = at[0] if at else os.lseek(file, 0, os.SEEK_CUR)
        asked = Call(NAMES[name], path.name, offset, os.fstat(file).st_ino)
        if code := rule(asked):
            failed.append(asked)
            ctypes.set_errno(code)
            return -1
        return int(whole(file, buffer, size, *at))

    return ctypes.CFUNCTYPE(ctypes.c_ssize_t, *types, use_errno=True)(call)


def takes_nothing(call: Call) -> int:
    """The disk gives what it has and takes nothing."""
    return errno.EIO if call.operation == "write" else 0
