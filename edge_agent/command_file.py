"""What became of each command, on disk until it expires: so that none is executed twice."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_agent.aside import bound
from edge_agent.errors import AgentError
from edge_agent.reserve import MIB

KEPT: Final = 1000  #: commands at most; beyond it new ones are refused
ASIDE: Final = 16 * MIB  #: bytes of damaged files set aside; the newest stays whatever it takes
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS command (
  id TEXT PRIMARY KEY, op TEXT NOT NULL, text TEXT NOT NULL, expires_ns INTEGER NOT NULL,
  step TEXT NOT NULL, answer BLOB NOT NULL, due INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0
)
"""

log = logging.getLogger(__name__)


class CommandFileError(AgentError):
    """The file of commands did not do what was asked."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A command and its newest answer. `step`: accepted, running, ended.

    `due` counts how often an answer was to be sent.
    """

    id: str
    op: str
    text: str
    expires_ns: int
    step: str
    answer: bytes
    due: int = 1


class CommandFile:
    """One SQLite file; `None` keeps everything in memory (simulations).

    A file that is not readable, or turns out to be damaged, is set aside and a new one begun, as
    nobody visits the device.

    Raises:
        CommandFileError: it cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(path)
        except (sqlite3.OperationalError, OSError) as error:
            raise CommandFileError(f"commands: {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            self._db = self._anew(error)

    def _anew(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """Set the damaged file aside and begin a new one."""
        path = self._path
        if path is None:
            return _opened(None)
        kept = path.with_name(f"{path.name}.unreadable")
        kept = next(one for one in _beside(kept) if not one.exists())
        path.replace(kept)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        log.error("commands: %s; it is kept as %s and a new file begun", error, kept)
        return _opened(path)

    def get(self, command_id: str) -> Kept | None:
        """Return what is kept of a command."""
        rows = self._rows("WHERE id = ?", command_id)
        return rows[0] if rows else None

    def add(self, kept: Kept, now_ns: int) -> bool:
        """Keep a new command; False when there are too many. Expired ones are forgotten."""
        self._do("DELETE FROM command WHERE expires_ns < ? AND sent >= due", now_ns)
        if len(self._rows("")) >= KEPT:
            return False
        values = msgspec.structs.astuple(kept)
        self._do("INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, 0)", *values)
        return True

    def begin(self, command_id: str) -> None:
        """The command begins to run; the answer stays."""
        self._do("UPDATE command SET step = 'running' WHERE id = ?", command_id)

    def end(self, command_id: str, answer: bytes) -> None:
        """Write down what came of a command; the answer is to be sent."""
        change = "UPDATE command SET step = 'ended', answer = ?, due = due + 1 WHERE id = ?"
        self._do(change, answer, command_id)

    def resend(self, command_id: str) -> None:
        """The answer is to be sent (once more)."""
        self._do("UPDATE command SET due = due + 1 WHERE id = ?", command_id)

    def sent(self, kept: Kept) -> None:
        """The broker has this answer; what became due meanwhile is still to be sent."""
        self._do("UPDATE command SET sent = ? WHERE id = ?", kept.due, kept.id)

    def _do(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:  # damaged; subclasses say that it is sound
                self._db.close()
                self._db = self._anew(error)
            raise CommandFileError(f"commands: {error}") from error

    def unsent(self) -> list[Kept]:
        """Return what has an answer to send."""
        return self._rows("WHERE sent < due ORDER BY rowid")

    def at(self, step: str) -> list[Kept]:
        """Return the commands at a step, oldest first."""
        return self._rows("WHERE step = ? ORDER BY rowid", step)

    def _rows(self, condition: str, *values: str) -> list[Kept]:
        fields = ", ".join(Kept.__struct_fields__)
        query = f"SELECT {fields} FROM command {condition}"  # noqa: S608  words of our own
        rows = self._do(query, *values)
        return [Kept(**dict(zip(Kept.__struct_fields__, row, strict=True))) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _beside(path: Path) -> Iterator[Path]:
    """Yield the path, then the same with -2, -3 ... behind its name."""
    yield path
    for n in count(2):
        yield path.with_name(f"{path.name}-{n}")


def _opened(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
    with contextlib.ExitStack() as failing:
        failing.callback(db.close)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-64"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        said = db.execute("PRAGMA integrity_check").fetchone()[0]  # it has a thousand rows at most
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        db.execute(_TABLE)
        failing.pop_all()
    if path is not None:
        bound(path, ASIDE)
    return db
