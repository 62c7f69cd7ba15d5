"""What the writer knows of each machine: its numbers, fields and boots; loaded when first needed.

All that is kept here in memory is also in the server: boots and signals as points of their own,
the open buckets and the newest times as they follow from what is stored.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import StoreFull
from cloud.telemetry.fresh import Layout
from cloud.telemetry.influx import names
from cloud.telemetry.influx.influxql import select, source
from cloud.telemetry.influx.lines import NO_TEXTS, Texts
from cloud.telemetry.influx.placing import NEVER, Taken
from cloud.telemetry.influx.reading import Reader
from cloud.telemetry.influx.rolls import OpenBuckets
from cloud.telemetry.rollup import MINUTE_NS
from models.rows import Block

REMEMBERED: Final = 16_384  #: columns of a machine's layouts; then they are worked out anew
MOST_ORIGINS: Final = 65_536  #: remembered; then they are worked out anew
_MOST_BOOTS: Final = 1 << (62 - names.SEQ_BITS)


@dataclass(slots=True, kw_only=True)
class Machine:
    """One machine of the writer."""

    name: str
    number: int
    boots: dict[tuple[str, str], int] = field(default_factory=dict)  #: (device, boot) → number
    series: dict[str, int] = field(default_factory=dict)  #: stream → series
    slots: dict[str, int] = field(default_factory=dict)  #: signal → slot
    letters: dict[str, set[str]] = field(default_factory=dict)  #: signal → letters of its fields
    layouts: dict[Layout, NDArray[np.int32]] = field(default_factory=dict)
    wide: int = 0  #: columns of `layouts`
    before: int = NEVER  #: streams not heard of since then may have samples up to here
    told: set[tuple[Layout, bool, bool]] = field(default_factory=set)


@dataclass(slots=True, frozen=True)
class Origin:
    """Where a device's rows come from: their series, and what is added to each seq."""

    series: int
    source: int


class Machines:
    """The machines written to, their series and the slots of their signals."""

    def __init__(self, reader: Reader, ever: str) -> None:
        self._reader = reader
        self._ever = ever
        self._known: dict[str, Machine] = {}
        self._waiting: dict[str, dict[tuple[str, str], int]] | None = None
        self.open = OpenBuckets()
        self.newest = np.zeros(0, np.int64)
        self.series_heads: list[bytes] = []
        self._series_of: list[tuple[Machine, str]] = []
        self._origins: dict[tuple[str, str, str, str, int], Origin] = {}
        self._slot_tags: list[bytes] = []  #: of roll-ups, as a line has them behind the measurement
        self._heads: dict[str, Texts] = {}  #: by measurement
        self.lines: list[bytes] = []  #: points about names that the next shipment must carry

    def get(self, name: str) -> Machine:
        """Return a machine, loaded from the server if it is known there."""
        found = self._known.get(name)
        if found is None:
            if self._waiting is None:
                self._waiting = self._stored_boots()
            found = self._load(name, self._waiting.get(name))
            self._known[name] = found
            self._waiting.pop(name, None)
        return found

    def _stored_boots(self) -> dict[str, dict[tuple[str, str], int]]:
        statement = select("device,boot", source(self._ever, names.BOOT), by="machine")
        return {
            names.plain(table.tags["machine"]): {
                (device, boot): number for number, device, boot in table.rows
            }
            for table in self._reader.ask([statement])[0]
        }

    def unloaded(self) -> list[str]:
        """Return the machines that the server knows and that were not needed yet."""
        if self._waiting is None:
            self._waiting = self._stored_boots()
        return list(self._waiting)

    def all(self) -> list[str]:
        """Return the names of all machines."""
        return [*self._known, *self.unloaded()]

    def _load(self, name: str, boots: dict[tuple[str, str], int] | None) -> Machine:
        machine = Machine(name=name, number=self.open.add_machine(), boots=boots or {})
        if boots is None:
            return machine
        machine.letters = self._reader.signals(name)
        minute, newest = self._reader.newest_rows(name)
        machine.before = NEVER if minute is None else minute - 1
        for stream, at in newest.items():
            number = self.series(machine, names.plain(stream))  # may lengthen `newest`
            self.newest[number] = at
        if newest or minute is not None:
            times = [*newest.values(), NEVER if minute is None else minute]
            minute = max(times) // MINUTE_NS * MINUTE_NS
            found = self._reader.unclosed(name, list(machine.letters), minute)
            slots = {self.slot(machine, signal): parts for signal, parts in found.items()}
            self.open.restore(machine.number, minute, slots)
        return machine

    def series(self, machine: Machine, stream: str) -> int:
        """Return the number of a machine's stream."""
        number = machine.series.get(stream)
        if number is None:
            number = machine.series[stream] = len(self.series_heads)
            head = (
                f"{names.READING},machine={names.safe(machine.name)},stream={names.safe(stream)} "
            )
            self.series_heads.append(head.encode())
            self._series_of.append((machine, stream))
            if number >= len(self.newest):
                more = np.full(max(256, len(self.newest)), NEVER, np.int64)
                self.newest = np.concatenate([self.newest, more])
            self.newest[number] = machine.before
        return number

    def taken(self, series: int, spans: list[tuple[int, int]]) -> Taken:
        """Return which times of a series are taken."""
        machine, stream = self._series_of[series]
        return self._reader.taken(machine.name, stream, spans)

    def owner(self, series: int) -> Machine:
        """Return the machine that a series is of."""
        return self._series_of[series][0]

    def origin(self, block: Block) -> Origin:
        """Return where a block's rows come from."""
        page = (block.seq + len(block.times_ns) - 1) >> names.SEQ_BITS
        key = (block.machine, block.device, block.boot, block.stream, page)
        found = self._origins.get(key)
        if found is None:
            machine = self.get(block.machine)
            source = self._source(machine, block.device, block.boot, page)
            found = Origin(self.series(machine, block.stream), source)
            if len(self._origins) >= MOST_ORIGINS:  # boots come and go
                self._origins.clear()
            self._origins[key] = found
        return found

    def _source(self, machine: Machine, device: str, boot: str, page: int) -> int:
        """Return what is added to a seq: the number of its device and boot before it."""
        key = (device, names.paged(boot, page))
        number = machine.boots.get(key)
        if number is None:
            number = machine.boots[key] = len(machine.boots) + 1
            if number >= _MOST_BOOTS:
                raise StoreFull(f"{machine.name}: more than {_MOST_BOOTS} boots; erase the device")
            device, boot = (part.replace("\\", "\\\\").replace('"', '\\"') for part in key)
            line = (
                f"{names.BOOT},machine={names.safe(machine.name)} "
                f'device="{device}",boot="{boot}" {number}'
            )
            self.lines.append(line.encode())
        return (number - page) << names.SEQ_BITS

    def slot(self, machine: Machine, signal: str) -> int:
        """Return the slot of a machine's signal."""
        number = machine.slots.get(signal)
        if number is None:
            number = machine.slots[signal] = self.open.add_slot(machine.number)
            tags = f",machine={names.safe(machine.name)},signal={names.safe(signal)} "
            self._slot_tags.append(tags.encode())
        return number

    def heads(self, measurement: str) -> Texts:
        """Return the heads of all slots' lines in a measurement of roll-ups."""
        made = self._heads.get(measurement, NO_TEXTS)
        if len(made) < len(self._slot_tags):
            head = measurement.encode()
            more = Texts.of([head + tag for tag in self._slot_tags[len(made) :]])
            made = self._heads[measurement] = made.then(more)
        return made

    def columns(self, machine: Machine, layout: Layout) -> NDArray[np.int32]:
        """Return the slots of a layout's columns."""
        found = machine.layouts.get(layout)
        if found is None:
            found = np.array([self.slot(machine, name) for name, _ in layout], np.int32)
            machine.wide += len(layout)
            if machine.wide > REMEMBERED:  # signals that come and go make new sets for ever
                machine.layouts, machine.told, machine.wide = {}, set(), len(layout)
            machine.layouts[layout] = found
        return found

    def tell(self, machine: Machine, layout: Layout, *, historical: bool, stated: bool) -> None:
        """Note which fields a machine's signals have, so that readers know."""
        key = (layout, historical, stated)
        if key in machine.told:
            return
        machine.told.add(key)
        for signal, code in layout:
            letters = {names.LETTERS[code]}
            if stated or code in "df":
                letters.add(names.STATE)
            letters = {letter.upper() for letter in letters} if historical else letters
            known = machine.letters.setdefault(signal, set())
            fresh = sorted(letters - known)
            if fresh:
                known |= letters
                tags = f"machine={names.safe(machine.name)},signal={names.safe(signal)}"
                fields = ",".join(f"{letter}=1i" for letter in fresh)
                self.lines.append(f"{names.SIGNAL},{tags} {fields} 0".encode())

    def open_minute(self, name: str) -> int | None:
        """Return the start of a machine's open minute, None where it is not loaded or has none."""
        machine = self._known.get(name)
        at = NEVER if machine is None else self.open.opened(machine.number)
        return None if at == NEVER else at

    def forget(self, name: str) -> None:
        """Forget a machine that was erased."""
        machine = self._known.pop(name, None)
        self._origins.clear()
        if self._waiting:
            self._waiting.pop(name, None)
        if machine is None:
            return
        self.open.forget(machine.number)
        for series in machine.series.values():
            self.newest[series] = NEVER
