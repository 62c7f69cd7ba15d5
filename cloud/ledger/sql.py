"""The ledger on SQLAlchemy: SQLite by default, PostgreSQL by URL."""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from cloud.ledger import tables as t
from cloud.ledger.accounts import Accounts
from cloud.ledger.accounts_sites import Sites
from cloud.ledger.advisories import Advisories
from cloud.ledger.alerts import Alerts
from cloud.ledger.commands import Commands
from cloud.ledger.database import Database
from cloud.ledger.filing import Filing
from cloud.ledger.machines import Machines
from cloud.ledger.place import Place
from cloud.ledger.quarantine import Quarantine
from cloud.ledger.records import INTERNAL, EventRow
from cloud.ledger.replies import Replies
from cloud.ledger.tally import Tallies
from cloud.ledger.tickets import Tickets
from models.profile import Profile, load_profiles

Key = tuple[int | str, ...]


class SqlLedger(
    Filing,
    Machines,
    Advisories,
    Tickets,
    Quarantine,
    Alerts,
    Replies,
    Tallies,
    Accounts,
    Sites,
    Commands,
):
    """See `cloud.ledger.Ledger`."""

    def __init__(
        self,
        place: Place | str,
        clock: Callable[[], int],
        profiles: Mapping[str, Profile] | None = None,
    ) -> None:
        known = load_profiles() if profiles is None else profiles
        super().__init__(Database(place), clock, known)

    def events(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        subject_id: str | None = None,
    ) -> tuple[list[EventRow], Key | None]:
        """List changes in the order in which they were written, oldest first."""
        rows = sa.select(t.event)
        if machine is not None:
            rows = rows.where(t.event.c.machine == machine)
        if subject_id is not None:
            rows = rows.where(t.event.c.subject_id == subject_id)
        if self._reach is not None:
            told = t.event.c.subject.in_(("machine", "ticket"))
            rows = rows.where(told, t.event.c.type != INTERNAL)
        return self._page(rows, EventRow, t.event.c.seq, after, limit, ascending=True)

    def close(self) -> None:
        """Close the database."""
        self._db.close()
