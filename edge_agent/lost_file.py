"""What was lost while the disk took nothing, in a file whose room was taken before."""

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from edge_agent.outbox_file import Dropped
from edge_agent.reserve import PAGE
from models.contract.messages import STREAMS

FLAGS: Final = os.O_WRONLY | os.O_CREAT  #: not truncated, so that its room stays taken
log = logging.getLogger(__name__)


class Lost(NamedTuple):
    """Samples `first` to `last` (inclusive) of a boot's stream that are nowhere."""

    boot: str
    stream: str
    first: int
    last: int
    reason: str


class LostFile:
    """One page that is written in place, which needs no room on most file systems.

    Those that copy on write need some. `path` None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None and not path.exists():
            self.write((), {})

    def read(self) -> list[Lost]:
        """Return what was noted last; nothing where the page cannot be read."""
        try:
            text = self._path.read_bytes() if self._path else b"[]"
            return msgspec.json.decode(text, type=list[Lost])
        except (OSError, msgspec.DecodeError) as error:
            log.error("%s: %s; what it held cannot be declared", self._path, error)
            return []

    def write(self, drops: Iterable[Dropped], boots: Mapping[str, int]) -> None:
        """Note what was lost, instead of what was noted before. A fault is logged.

        Nothing was stored between what one stream has lost: these are one range each.
        """
        names = {n: boot for boot, n in boots.items()}
        ranges: dict[tuple[int, int], Lost] = {}
        for n, rank, first, last, reason in drops:
            known = ranges.get((n, rank)) or Lost(names[n], STREAMS[rank], first, last, reason)
            ranges[n, rank] = known._replace(last=last)
        found = list(ranges.values())
        while len(text := msgspec.json.encode(found)) > PAGE:
            log.error("%s has no room for %s", self._path, found.pop(0))
        if self._path is None:
            return
        try:
            with contextlib.closing(os.fdopen(os.open(self._path, FLAGS, 0o644), "wb")) as page:
                page.write(text.ljust(PAGE))
                page.flush()
                os.fsync(page.fileno())
        except OSError as error:
            log.error("%s: %s; lost, and cannot be noted: %s", self._path, error, found)
