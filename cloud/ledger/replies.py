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
            now = self._clock()
            if row is not None and row.recorded_ns > now - KEPT_NS:
                if row.fingerprint != fingerprint:
                    raise Refused("header/Idempotency-Key", "this key was used for another body")
                return unpack(Reply, row)
            reply = work()
            self._forget(connection, now)
            connection.execute(
                sa.insert(t.reply).values(
                    key=key,
                    recorded_ns=now,
                    fingerprint=fingerprint,
                    status=reply.status,
                    headers=reply.headers,
                    body=reply.body,
                )
            )
        return reply

    @staticmethod
    def _forget(connection: sa.Connection, now_ns: int) -> None:
        """Delete what is too old or too much."""
        table = t.reply.c
        edge = (
            sa.select(table.recorded_ns)
            .order_by(table.recorded_ns.desc())
            .offset(REPLIES)
            .limit(1)
            .scalar_subquery()
        )
        old = sa.or_(table.recorded_ns <= now_ns - KEPT_NS, table.recorded_ns <= edge)
        connection.execute(sa.delete(t.reply).where(old))
