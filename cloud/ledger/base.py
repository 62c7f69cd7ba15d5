"""What every part of the ledger needs: the database, ids, machine time, rows to records."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa

from cloud.accounts.values import Reach
from cloud.advisories.values import Stamp
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import tables as t
from cloud.ledger.database import Database
from cloud.ledger.ids import Ids
from cloud.ledger.reach import within
from cloud.ledger.records import Record
from models.profile import Profile

R = TypeVar("R", bound=msgspec.Struct)
CHUNK: Final = 512  #: values in one IN list, a power of two; SQLite's oldest bound is 999
MAX_PAGE: Final = 1000


def pack(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as column values."""
    values: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(bytes,))
    return values


def unpack(kind: type[R], row: sa.Row[Any], **more: object) -> R:
    """Return a row, with `more` fields, as a record."""
    # SQLAlchemy's column names are a kind of `str` of its own; msgspec takes exactly `str`
    values = {str(name): value for name, value in row._mapping.items()}
    return msgspec.convert(values | more, kind)


def chunks(values: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list into what fits into one query; the last value comes again up to a power of two.

    Each length is a statement of its own, which a connection keeps ready: at most ten, not 500.
    """
    parts = [values[at : at + CHUNK] for at in range(0, len(values), CHUNK)]
    return [[*part, *[part[-1]] * (_power_of_two(len(part)) - len(part))] for part in parts]


def _power_of_two(count: int) -> int:
    """Return the least power of two that is not below a count from 1 on."""
    return 1 << (count - 1).bit_length()


def save(connection: sa.Connection, table: sa.Table, rows: Sequence[Record], new: set[str]) -> None:
    """Update the known rows, then insert the new ones."""
    known = [row for row in rows if row.id not in new]
    if known:
        values = [{**pack(row), "b_id": row.id} for row in known]
        for value in values:
            del value["id"]
        change = sa.update(table).where(table.c.id == sa.bindparam("b_id"))
        connection.execute(change, values)
    fresh = [pack(row) for row in rows if row.id in new]
    if fresh:
        connection.execute(sa.insert(table), fresh)


class Part:
    """One part of the ledger."""

    def __init__(
        self, database: Database, clock: Callable[[], int], profiles: Mapping[str, Profile]
    ) -> None:
        self._db = database
        self._clock = clock
        self._profiles = profiles
        self._new_id = Ids(clock)
        self._on_alert: list[Callable[[], None]] = []
        self._reach: Reach | None = None  #: which machines are to be seen (None: all)

    def on_alert(self, call: Callable[[], None]) -> None:
        """Call `call`, from the writing thread, after each commit that left an alert to send."""
        self._on_alert.append(call)

    def _alerted(self) -> None:
        for call in self._on_alert:
            self._db.committed(call)

    def _stamp(self) -> Stamp:
        return Stamp(new_id=self._new_id, recorded_ns=self._clock())

    def _profile(self, name: str) -> Profile:
        return self._profiles.get(name) or self._profiles["generic"]

    def _log(
        self,
        connection: sa.Connection,
        subject: tuple[str, str, str | None],
        kind: str,
        *,
        at_ns: int,
        actor: str,
        detail: Mapping[str, Any],
    ) -> None:
        """Write down what happened to a subject (kind, id, machine)."""
        what, key, machine = subject
        connection.execute(
            sa.insert(t.event).values(
                id=self._new_id(),
                recorded_ns=self._clock(),
                subject=what,
                subject_id=key,
                machine=machine,
                type=kind,
                at_ns=at_ns,
                actor=actor,
                detail=detail,
            )
        )

    def _machine_now(self, connection: sa.Connection, machine: str) -> int:
        """Return "now" on a machine's clock: the wall, or its newest data time."""
        found = connection.execute(
            sa.select(t.machine.c.clock, t.machine.c.seen_ns, t.machine.c.first_ns).where(
                t.machine.c.id == machine
            )
        ).one()
        if found.clock == "data":
            return int(found.seen_ns if found.seen_ns is not None else found.first_ns)
        return self._clock()

    def _seen(self, query: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
        """Return a query without what belongs to machines out of reach."""
        if self._reach is None:
            return query
        machine = table.c.id if table is t.machine else table.c.get("machine")
        if machine is None:  # it belongs to no machine: nothing for somebody with a reach
            return query.where(sa.false())
        if table is t.advisory:  # a customer hears of it when there is a ticket
            query = query.where(t.advisory.c.ticket_id.is_not(None))
        return query.where(within(self._reach, machine))

    def _get(self, connection: sa.Connection, table: sa.Table, kind: type[R], key: str) -> R:
        query = self._seen(sa.select(table).where(table.c.id == key), table)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"there is no {table.name} '{key}'")
        return unpack(kind, row)

    def _page(
        self,
        query: sa.Select[Any],
        kind: type[R],
        column: sa.Column[Any],
        after: tuple[int | str, ...] | None,
        limit: int,
        *,
        ascending: bool = False,
    ) -> tuple[list[R], tuple[int | str, ...] | None]:
        """Return one page by a unique column, and where the next one begins."""
        check_limit(limit)
        if after is not None:
            (last,) = after
            query = query.where(column > last if ascending else column < last)
        query = self._seen(query, column.table)
        query = query.order_by(column if ascending else column.desc()).limit(limit + 1)
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
        more = len(rows) > limit
        records = [unpack(kind, row) for row in rows[:limit]]
        return records, (rows[limit - 1]._mapping[column.name],) if more else None


def check_limit(limit: int) -> None:
    """Raise `Refused` for a page that is empty or too long."""
    if not 1 <= limit <= MAX_PAGE:
        raise Refused("/limit", f"write a number from 1 to {MAX_PAGE}")


def check_version(found: int, given: int, what: str) -> None:
    """Raise `Conflict` when somebody changed it meanwhile."""
    if found != given:
        raise Conflict(f"the {what} is at version {found}, not {given}: read it again, then decide")
