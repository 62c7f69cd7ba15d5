"""Retries that do nothing twice: the reply is kept in the transaction of the change itself."""

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from cloud.errors import Refused
from cloud.ledger import tables as t
from cloud.ledger.base import Part, unpack
from cloud.ledger.records import Reply

KEPT_NS: Final = 7 * 86_400 * 10**9
REPLIES: Final = 100_000  #: kept at most, whatever their age


class Replies(Part):
    """Replies to writes, by idempotency key."""

    def once(self, key: str, fingerprint: str, work: Callable[[], Reply]) -> Reply:
        """Do `work` in one transaction with its reply, or return the reply of the first time."""
        with self._db.writing() as connection:
            table = t.reply.c
            row = connection.execute(sa.select(t.reply).where(table.key == key)).one_or_none()
            if row is not None:
                if row.fingerprint != fingerprint:
                    raise Refused("header/Idempotency-Key", "this key was used for another body")
                return unpack(Reply, row)
            reply = work()
            self._make_room(connection)
            connection.execute(
                sa.insert(t.reply).values(
                    key=key,
                    recorded_ns=self._clock(),
                    fingerprint=fingerprint,
                    status=reply.status,
                    headers=reply.headers,
                    body=reply.body,
                )
            )
        return reply

    def forget_replies(self, now_ns: int) -> None:
        """Delete the replies that are a week old; `now_ns` is a time that may be believed."""
        with self._db.writing() as connection:
            old = t.reply.c.recorded_ns <= now_ns - KEPT_NS
            connection.execute(sa.delete(t.reply).where(old))

    @staticmethod
    def _make_room(connection: sa.Connection) -> None:
        """Delete what is too much, the oldest first."""
        table = t.reply.c
        edge = (
            sa.select(table.recorded_ns)
            .order_by(table.recorded_ns.desc())
            .offset(REPLIES)
            .limit(1)
            .scalar_subquery()
        )
        connection.execute(sa.delete(t.reply).where(table.recorded_ns <= edge))
