"""Readings on their way into the file: held for a moment, so that many of them cost little.

The journal has them already, so they need not be in the file at once. What a second brings is
packed and stored together; a machine's rows that are many become a frame right away, and are never
written as fresh rows, read back and deleted. A `Load` is prepared on any thread; the store's writer
puts it in place in one transaction with the journal position.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cloud.telemetry import compaction, fresh
from cloud.telemetry.compaction import SMALL_ROWS, Job
from cloud.telemetry.database import MACHINE_BITS
from cloud.telemetry.fresh import Group
from cloud.telemetry.lots import Lot, Part
from cloud.telemetry.names import Names
from cloud.telemetry.readers import Readers
from models.rows import Block, size_of

HOLD_S: Final = 1.0  #: how long readings wait for more
HELD_BYTES: Final = 20 << 20  #: and how much may
FRAMED_ROWS: Final = SMALL_ROWS  #: so many rows of a machine become a frame at once
Row = tuple[int, int, bool, int, int, int, bytes]  #: as table `fresh` has it
log = logging.getLogger(__name__)


class Gathered:
    """Blocks that wait, by machine, and the position that they reach."""

    def __init__(self) -> None:
        self.groups: dict[str, list[Group]] = {}
        self.position = -1
        self.size = 0  #: bytes that the blocks take
        self.since: float | None = None  #: when the first of them came (s)

    def add(self, blocks: Sequence[Block], position: int, now_s: float) -> None:
        """Take blocks in, in order."""
        fresh.groups(blocks, self.groups)
        self.size += size_of(blocks)
        self.position = position
        if self.since is None:
            self.since = now_s

    def due(self, now_s: float, hold_s: float) -> bool:
        """Whether they have waited long enough, or are too much."""
        waited = self.since is not None and not 0 <= now_s - self.since < hold_s
        return waited or self.size >= HELD_BYTES


@dataclass(slots=True)
class Load:
    """What one transaction will bring. `names`: the machines that it is of."""

    position: int
    names: frozenset[str]
    lots: list[Lot] = field(default_factory=list)
    framed: list[Lot] = field(default_factory=list)  #: those that become frames
    rows: list[Row] | None = None
    jobs: dict[int, Job] = field(default_factory=dict)  #: by machine
    ready: threading.Event = field(default_factory=threading.Event)

    def prepare(self, readers: Readers) -> None:
        """Pack everything, on any thread. What makes no frame stays as it came."""
        try:
            for lot in self.framed:
                self._frame(readers, lot)
            self.rows = [row for lot in self.lots for row in packed(lot)]
        finally:
            self.ready.set()

    def _frame(self, readers: Readers, lot: Lot) -> None:
        try:
            job = compaction.prepare(readers, lot.machine, lot)
        except Exception:  # it is stored as it came; compaction will say what is wrong
            log.warning("machine %d: its rows make no frame yet", lot.machine, exc_info=True)
            return
        assert job is not None
        self.jobs[lot.machine] = job

    def packed(self) -> list[Row]:
        """Return what stays as it came; packed now where that failed before."""
        if self.rows is None:
            self.rows = [row for lot in self.lots for row in packed(lot)]
        return self.rows


def packed(lot: Lot) -> list[Row]:
    """Return a lot as rows of the table `fresh`."""
    key = lot.machine << MACHINE_BITS | lot.first
    out = []
    for part in lot.parts:
        group = part.group
        one = fresh.pack(group, part.sources)
        span = (one.start_ns, one.end_ns)
        out.append((key, part.layout, group.live, group.rows, *span, one.body))
        key += group.rows
    return out


def lot_of(names: Names, name: str, groups: list[Group]) -> Lot:
    """Give a machine's rows their numbers, inside a transaction of the writer."""
    machine = names.machine(name)
    lot = Lot(machine.id, machine.next)
    for group in groups:
        layout = names.layout(group.layout)
        names.sign(machine.id, layout, group.layout)
        sources = [names.source((b.device, b.boot, b.stream)) for b in group.blocks]
        lot.parts.append(Part(layout, group, sources))
        lot.rows += group.rows
    machine.next += lot.rows
    return lot


def framable(names: Names, lot: Lot) -> bool:
    """Whether a lot, with what is already fresh of its machine, makes frames worth having."""
    machine = names.known(lot.machine)
    small = machine is not None and not compaction.due(lot.machine, machine.rows, machine.blobs)
    return lot.rows >= FRAMED_ROWS and small
