"""Read connections, lent to one thread at a time and given back."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from cloud.errors import StoreBusy, StoreCorrupt
from cloud.telemetry.database import open_reader, translated
from cloud.telemetry.fresh import Layout
from cloud.telemetry.names import layout_from

LAYOUTS: Final = 8_192  #: remembered; then they are read anew


class Readers:
    """A pool of read-only connections to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        self._layouts: dict[int, Layout] = {}

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside one read transaction: all its answers are of one moment."""
        with self._lock:
            if self._closed:
                raise StoreBusy(f"{self.path} is closed; open the store again")
            db = self._idle.pop() if self._idle else None
        with translated(self.path):
            db = db or open_reader(self.path)
            try:
                db.execute("BEGIN")
                yield db
            except sqlite3.Error:
                db.close()
                raise
            finally:
                self._take_back(db)

    def _take_back(self, db: sqlite3.Connection) -> None:
        try:
            db.rollback()
        except sqlite3.Error:  # closed after an error
            return
        with self._lock:
            if not self._closed:
                self._idle.append(db)
                return
        db.close()

    def layout(self, db: sqlite3.Connection, layout: int) -> Layout:
        """Return a layout by its id."""
        found = self._layouts.get(layout)
        if found is None:
            row = db.execute("SELECT spec FROM layout WHERE id = ?", (layout,)).fetchone()
            if row is None:
                raise StoreCorrupt(f"{self.path}: layout {layout} is missing; restore a backup")
            try:
                found = layout_from(row[0])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StoreCorrupt(
                    f"{self.path}, table layout, row {layout}: {error}; restore a backup"
                ) from error
            if len(self._layouts) >= LAYOUTS:
                self._layouts.clear()
            self._layouts[layout] = found
        return found

    def close(self) -> None:
        """Close what is idle now; what is lent closes when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()
