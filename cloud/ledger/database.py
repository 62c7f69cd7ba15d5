"""The database beneath the ledger: opening, migrating, transactions.

SQLite runs in WAL with `synchronous=FULL`, so that what was filed survives a power cut. PostgreSQL
works by URL; the SQL is portable, and `cloud.ledger.engines` holds what is not.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc

from cloud.errors import StoreError
from cloud.ledger import accounts_tables, commands_tables  # noqa: F401  all tables are known
from cloud.ledger.engines import connect, in_our_words
from cloud.ledger.place import Place

HEAD: Final = "0007"  #: the newest migration; a test compares it with the scripts


class Database:
    """One engine. `writing` transactions wait for each other; `reading` ones see one moment."""

    def __init__(self, place: Place | str, *, migrate: bool = True) -> None:
        where = Place(url=place) if isinstance(place, str) else place
        self._engine = connect(where)
        self.name = self._engine.url.render_as_string(hide_password=True)
        self._lock = threading.RLock()
        self._open: sa.Connection | None = None  #: of the transaction that the lock's owner is in
        self._after: list[Callable[[], None]] = []
        self._write_engine = self._engine.execution_options(immediate=True)
        if migrate:
            try:
                self.migrate()
            except BaseException:
                self.close()
                raise

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees the database as it was at its first query."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end, undone by any error. Within one: part of it."""
        with self._lock:
            if self._open is not None:
                yield self._open
                return
            try:
                with self._translated(), self._write_engine.begin() as connection:
                    self._open = connection
                    yield connection
            except BaseException:
                self._after.clear()
                raise
            finally:
                self._open = None
            calls, self._after = self._after, []
        for call in calls:
            call()

    def committed(self, call: Callable[[], None]) -> None:
        """Call `call` when the transaction that this thread is in is committed; else now."""
        with self._lock:
            if self._open is not None:
                self._after.append(call)
                return
        call()

    def revision(self) -> str | None:
        """Return the revision of the tables (None: there are none)."""
        with self.reading() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return str(found) if found is not None else None

    def migrate(self, target: str = HEAD) -> None:
        """Bring the tables to a revision (`base` = none), all or nothing."""
        if self.revision() == target:
            return
        from alembic import command  # noqa: PLC0415 - needed only when something is to be done
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        with self.writing() as connection:
            found = self.revision()  # again: another process may have been at it
            if found is not None and found not in known:
                raise StoreError(
                    f"{self.name} was written by a newer forewarn (tables {found}, this program "
                    f"knows up to {HEAD}): install that one, or restore the backup from before"
                )
            if found == target:
                return
            config.attributes["connection"] = connection
            up = target != "base" and (found is None or found < target)
            (command.upgrade if up else command.downgrade)(config, target)

    def vacuum(self) -> None:
        """Give back the room of what was deleted; nothing of it stays in the file."""
        with self._lock, contextlib.closing(self._engine.raw_connection()) as connection:
            plain = connection.driver_connection
            assert plain is not None
            if self.dialect == "postgresql":
                plain.rollback()  # what the pool began when it tried the connection
                plain.autocommit = True  # SQLite's is, outside of what `writing` begins
            try:
                cursor = plain.cursor()
                cursor.execute("VACUUM")
                if self.dialect == "sqlite":
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.close()
            finally:
                if self.dialect == "postgresql":
                    plain.autocommit = False

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, exc.TimeoutError, ConnectionError, TimeoutError) as error:
            raise in_our_words(self.name, error) from error
