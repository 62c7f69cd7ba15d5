"""Ids of machines, signals, layouts and sources: small numbers for long words.

`Names` is the writer's view: it makes what is missing and remembers what it has seen. After a
rolled-back transaction it must `forget`, because ids made in it never were.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

import msgspec

from cloud.telemetry.database import MACHINE_BITS
from cloud.telemetry.fresh import Layout

REMEMBERED: Final = 200_000  #: entries a table; then it begins anew
LAYOUTS: Final = 1 << 40  #: no id of a layout is larger
COLUMNS: Final = 500_000  #: of the layouts remembered
Source = tuple[str, str, str]  #: device, boot, stream


def spec_of(layout: Layout) -> str:
    """Return the text of a layout."""
    return msgspec.json.encode(layout).decode()


def layout_from(spec: str) -> Layout:
    """Read `spec_of` back."""
    return msgspec.json.decode(spec, type=tuple[tuple[str, str], ...])


def machine_of(db: sqlite3.Connection, name: str) -> int | None:
    """Return a machine's id, None when it has never been heard."""
    row = db.execute("SELECT id FROM machine WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def fresh_range(machine: int) -> tuple[int, int]:
    """Return the first id of a machine's fresh rows and the one behind the last."""
    return machine << MACHINE_BITS, (machine + 1) << MACHINE_BITS


@dataclass(slots=True)
class Machine:
    """What the writer remembers of a machine."""

    id: int
    next: int  #: number of its next sample
    rows: int  #: fresh samples
    blobs: int  #: fresh rows that hold them


class Names:
    """Finds or makes ids on the writing connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._machines: dict[str, Machine] = {}
        self._by_id: dict[int, Machine] = {}
        self._layouts: dict[Layout, int] = {}
        self._columns = 0  #: of `_layouts`
        self._sources: dict[Source, int] = {}
        self._signed: set[int] = set()  #: machine * `LAYOUTS` + layout
        self.forgotten = 0  #: how often layouts were

    def forget(self) -> None:
        """Drop everything remembered."""
        self._machines.clear()
        self._by_id.clear()
        self._layouts.clear()
        self.forgotten += 1
        self._columns = 0
        self._sources.clear()
        self._signed.clear()

    def machine(self, name: str) -> Machine:
        """Return a machine, made if it is new."""
        found = self._machines.get(name)
        if found is None:
            found = self._load(name)
            if len(self._machines) >= REMEMBERED:
                self._machines.clear()
                self._by_id.clear()
            self._machines[name] = self._by_id[found.id] = found
        return found

    def known(self, machine: int) -> Machine | None:
        """Return a machine that has been written since the start, by its id."""
        return self._by_id.get(machine)

    def _load(self, name: str) -> Machine:
        self._db.execute("INSERT OR IGNORE INTO machine (name) VALUES (?)", (name,))
        row = self._db.execute("SELECT id, arrivals FROM machine WHERE name = ?", (name,))
        machine, following = row.fetchone()
        first, last = fresh_range(machine)
        newest = self._db.execute(
            "SELECT id, rows FROM fresh WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
            (first, last),
        ).fetchone()
        if newest:
            following = newest[0] - first + newest[1]
        rows, blobs = self._db.execute(
            "SELECT coalesce(sum(rows), 0), count(*) FROM fresh WHERE id >= ? AND id < ?",
            (first, last),
        ).fetchone()
        return Machine(machine, following, rows, blobs)

    def layout(self, layout: Layout) -> int:
        """Return a layout's id, made if it is new."""
        found = self._layouts.get(layout)
        if found is None:
            spec = spec_of(layout)
            self._db.execute("INSERT OR IGNORE INTO layout (spec) VALUES (?)", (spec,))
            row = self._db.execute("SELECT id FROM layout WHERE spec = ?", (spec,)).fetchone()
            found = int(row[0])
            self._columns += len(layout)
            if self._columns > COLUMNS:
                self._layouts.clear()
                self.forgotten += 1
                self._columns = len(layout)
            self._layouts[layout] = found
        return found

    def remembered(self) -> set[int]:
        """Return the ids of the layouts asked for since they were `forgotten`."""
        return set(self._layouts.values())

    def sign(self, machine: int, layout_id: int, layout: Layout) -> None:
        """See to it that each signal of the layout is known for the machine."""
        signed = machine * LAYOUTS + layout_id
        if signed in self._signed:
            return
        self._db.executemany(
            "INSERT OR IGNORE INTO signal (machine, name) VALUES (?, ?)",
            [(machine, name) for name, _ in layout],
        )
        if len(self._signed) >= REMEMBERED:
            self._signed.clear()
        self._signed.add(signed)

    def source(self, source: Source) -> int:
        """Return the id of a (device, boot, stream), made if it is new."""
        found = self._sources.get(source)
        if found is None:
            self._db.execute(
                "INSERT OR IGNORE INTO source (device, boot, stream) VALUES (?, ?, ?)", source
            )
            row = self._db.execute(
                "SELECT id FROM source WHERE device = ? AND boot = ? AND stream = ?", source
            ).fetchone()
            found = int(row[0])
            if len(self._sources) >= REMEMBERED:
                self._sources.clear()
            self._sources[source] = found
        return found
