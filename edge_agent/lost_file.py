"""What was lost while the disk took nothing, in a file whose room was taken before."""

import contextlib
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from edge_agent.outbox_file import RANK, Dropped, joined
from edge_agent.reserve import PAGE
from models.contract.messages import MAX_NUMBER, STREAMS

FLAGS: Final = os.O_WRONLY | os.O_CREAT  #: not truncated, so that its room stays taken
log = logging.getLogger(__name__)

Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]


class Lost(NamedTuple):
    """Samples `first` to `last` (inclusive) of a boot's stream that are nowhere."""

    boot: str
    stream: str
    first: Number
    last: Number
    reason: str


class LostFile:
    """One page that is written in place, which needs no room on most file systems.

    Those that copy on write need some. `path` None keeps nothing. The page is the CRC-32 of a line
    of JSON, and that line: one that was torn or damaged is set aside under the name of `boot`.
    """

    def __init__(self, path: Path | None, boot: str) -> None:
        self._path = path
        self._boot = boot
        if path is not None and not path.exists():
            self.write((), {})

    def read(self) -> list[Lost]:
        """Return what was noted last, in order; nothing where the page cannot be read."""
        path = self._path
        if path is None:
            return []
        try:
            return _read(path.read_bytes())
        except OSError as error:
            log.error("%s: %s; what it held cannot be declared", path, error)
        except (ValueError, msgspec.DecodeError) as error:
            kept = path.with_name(f"{path.name}.unreadable-{self._boot}")
            words = "what it held cannot be declared; it is kept as"
            log.error("%s: %s; %s %s", path, error, words, kept)
            with contextlib.suppress(OSError):
                path.replace(kept)
                self.write((), {})
        return []

    def write(self, drops: Sequence[Dropped], boots: Mapping[str, int]) -> bool:
        """Note what was lost, instead of what was noted before; return whether all of it is.

        Where the page has no room for each reason's ranges, those that follow on one another
        become one range of the first one's reason. A fault is logged.
        """
        if self._path is None:
            return False
        names = {n: boot for boot, n in boots.items()}
        whole = True
        if len(page := _page(drops, names)) > PAGE:
            drops = joined(drops, across_reasons=True)
            while len(page := _page(drops, names)) > PAGE:
                log.error("%s has no room for %s", self._path, drops[0])
                drops, whole = drops[1:], False
        try:
            with contextlib.closing(os.fdopen(os.open(self._path, FLAGS, 0o644), "wb")) as file:
                file.write(page.ljust(PAGE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            log.error("%s: %s; lost, and cannot be noted: %s", self._path, error, drops)
            return False
        return whole


def _page(drops: Sequence[Dropped], names: Mapping[int, str]) -> bytes:
    lost = [Lost(names[d.boot], STREAMS[d.rank], d.first, d.last, d.reason) for d in drops]
    text = msgspec.json.encode(lost)
    return b"%08x %s" % (zlib.crc32(text), text)


def _read(page: bytes) -> list[Lost]:
    """Return a page's ranges; `ValueError` or `DecodeError` where it was not written whole."""
    said, _, text = page.rstrip(b" ").partition(b" ")
    if said != b"%08x" % zlib.crc32(text):
        raise ValueError("the page is damaged")
    found = msgspec.json.decode(text, type=list[Lost])
    if any(lost.stream not in RANK or lost.first > lost.last for lost in found):
        raise ValueError("the page is no list of gaps")
    return found
