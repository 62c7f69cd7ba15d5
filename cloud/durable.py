"""Files that are on the disk when a call returns, whole or not at all."""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def sync(path: Path) -> None:
    """See that a file's bytes, or a folder's names, are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def private(path: Path) -> Iterator[IO[bytes]]:
    """Write a new file that nobody but its owner can read, in place of an old one."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(fd, "wb") as file:
        yield file


def settle(part: Path, path: Path) -> None:
    """Give a file that was written beside its name, once its bytes are on the disk."""
    sync(part)
    part.replace(path)
    sync(path.parent)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file so that a kill leaves the old one or the new one, never a part.

    Nobody but its owner can read it.
    """
    part = path.with_suffix(".part")
    with private(part) as file:
        yield file
    settle(part, path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file's content as `whole` does."""
    with whole(path) as file:
        file.write(content)


def write_checked(path: Path, text: bytes) -> None:
    """Write a JSON object as `write_whole` does, behind its CRC-32."""
    write_whole(path, b"%08x %s" % (zlib.crc32(text), text))


def read_checked(path: Path) -> bytes:
    """Return what `write_checked` wrote; `ValueError` where it is damaged.

    Earlier versions wrote the object alone.
    """
    content = path.read_bytes()
    said, _, text = content.partition(b" ")
    if content.startswith(b"{"):
        return content
    if said != b"%08x" % zlib.crc32(text):
        raise ValueError("the text contradicts its checksum")
    return text
