"""The database beneath the ledger: opening, migrating, transactions, errors in our words.

SQLite runs in WAL with `synchronous=FULL`, so that what was filed survives a power cut. PostgreSQL
works by URL; the SQL is portable.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from cloud.errors import SettingsError, StoreBusy, StoreCorrupt, StoreError, StoreFull

HEAD: Final = "0002"  #: the newest migration; a test compares it with the scripts
BUSY_MS: Final = 5_000
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
)


class Database:
    """One engine. `writing` transactions wait for each other; `reading` ones see one moment."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = sa.create_engine(url)
        except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise SettingsError(
                f"ledger_url: {error}; write sqlite:///path/ledger.db or "
                "postgresql+psycopg://user@host/name"
            ) from error
        self._place = self._engine.url.render_as_string(hide_password=True)
        self._lock = threading.RLock()
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _connect_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._write_engine = self._engine.execution_options(immediate=True)
        with self._translated():
            self.migrate()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees the database as it was at its first query."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end, undone by any error."""
        with self._lock, self._translated(), self._write_engine.begin() as connection:
            yield connection

    def revision(self) -> str | None:
        """Return the revision of the tables (None: there are none)."""
        with self.reading() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return str(found) if found is not None else None

    def migrate(self, target: str = HEAD) -> None:
        """Bring the tables to a revision (`base` = none), all or nothing."""
        found = self.revision()
        if found == target:
            return
        from alembic import command  # noqa: PLC0415 - needed only when something is to be done
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise StoreError(
                f"{self._place} was written by a newer forewarn (tables {found}, this program "
                f"knows up to {HEAD}): install that one, or restore the backup from before"
            )
        with self.writing() as connection:
            config.attributes["connection"] = connection
            up = target != "base" and (found is None or found < target)
            (command.upgrade if up else command.downgrade)(config, target)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: exc.DBAPIError) -> StoreError:
        text = str(error.orig)
        low = text.lower()
        if "full" in low or "no space" in low:
            return StoreFull(f"{self._place}: {text}; free space on that disk")
        if "malformed" in low or "not a database" in low:
            return StoreCorrupt(f"{self._place}: {text}; restore the newest backup")
        if "unable to open" in low:
            return StoreError(f"{self._place}: {text}; does the folder exist, and may we write?")
        if isinstance(error, exc.OperationalError):
            return StoreBusy(f"{self._place}: {text}")
        return StoreError(f"{self._place}: {text}")


def _connect_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not at the first write
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
