"""The ledger's tables as they are now. Migrations lead here; a test compares the two.

Columns carry the names of the records' fields. `Json` columns hold what has a shape of its own.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.engine import Dialect

metadata = sa.MetaData()
#: grows by itself; SQLite numbers only a column that is exactly INTEGER
Serial = BigInteger().with_variant(Integer(), "sqlite")
Uuid = String(36)


class Json(sa.types.TypeDecorator[Any]):
    """A value as JSON text, so that both databases keep it alike."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text to store."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return plain lists and maps."""
        return None if value is None else msgspec.json.decode(value)


position = sa.Table(
    "position", metadata, Column("name", String(32), primary_key=True), Column("n", BigInteger)
)

device = sa.Table(
    "device",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("first_ns", BigInteger, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
)

machine = sa.Table(
    "machine",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("device", String(63), ForeignKey("device.id"), nullable=False),
    Column("profile", Text, nullable=False),
    Column("profile_version", Integer),
    Column("profile_since_ns", BigInteger, nullable=False),
    Column("name", Text),
    Column("clock", String(8), nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger),
    Column("state", String(16), nullable=False),
    Column("score", Float),
    Column("health", Float),
    Column("coverage", Float),
    Column("left_s", Float),
)

binding = sa.Table(
    "binding",
    metadata,
    Column("machine", String(160), ForeignKey("machine.id"), primary_key=True),
    Column("since_ns", BigInteger, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("profile_version", Integer),
    Column("recorded_ns", BigInteger, nullable=False),
)

unit = sa.Table(
    "unit",
    metadata,
    Column("machine", String(160), ForeignKey("machine.id"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("units", Json, nullable=False),
)

assessment = sa.Table(
    "assessment",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("machine", String(160), ForeignKey("machine.id"), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("assessment", Json, nullable=False),
    Index("assessment_by_time", "machine", "at_ns", "seq"),
)

advisory = sa.Table(
    "advisory",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("machine", String(160), ForeignKey("machine.id"), nullable=False),
    Column("component", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("policy", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("title", Json, nullable=False),
    Column("action", Json, nullable=False),
    Column("part", Text),
    Column("duration_h", Float, nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("life", Json),
    Column("life_at_ns", BigInteger),
    Column("due_earliest_ns", BigInteger, nullable=False),
    Column("due_latest_ns", BigInteger, nullable=False),
    Column("order_by_ns", BigInteger),
    Column("coverage", Float, nullable=False),
    Column("confidence", String(8), nullable=False),
    Column("ticket_id", Uuid),
    Column("verdict", String(16)),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("defer_until_ns", BigInteger),
    Column("observe_until_ns", BigInteger),
    Column("previous_id", Uuid, ForeignKey("advisory.id")),
    Column("acknowledged_by", Text),
    Column("acknowledged_ns", BigInteger),
    Index("advisory_by_machine", "machine", "id"),
)
_standing = advisory.c.state.not_in(("closed", "expired"))
#: the promise in the database's own words: one standing advisory a key
Index(
    "advisory_one_a_key",
    advisory.c.machine,
    advisory.c.component,
    advisory.c.mode,
    unique=True,
    sqlite_where=_standing,
    postgresql_where=_standing,
)

evidence = sa.Table(
    "evidence",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("advisory_id", Uuid, ForeignKey("advisory.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("signal", Text),
    Column("check", String(16)),
    Column("since_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("count", Integer, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("value", Float),
    Column("expected", Float),
    Column("life", Json),
    Column("witnesses", Json),
    Column("told_ns", BigInteger),
)

ticket = sa.Table(
    "ticket",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("number", Integer, nullable=False, unique=True),
    Column("advisory_id", Uuid, ForeignKey("advisory.id"), nullable=False, unique=True),
    Column("machine", String(160), ForeignKey("machine.id"), nullable=False),
    Column("component", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", String(24), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("title", Json, nullable=False),
    Column("action", Json, nullable=False),
    Column("part", Text),
    Column("duration_h", Float, nullable=False),
    Column("due_earliest_ns", BigInteger, nullable=False),
    Column("due_latest_ns", BigInteger, nullable=False),
    Column("order_by_ns", BigInteger),
    Column("opened_ns", BigInteger, nullable=False),
    Column("assignee", Text),
    Column("acknowledged_ns", BigInteger),
    Column("resolved_ns", BigInteger),
    Column("closed_ns", BigInteger),
    Column("verdict", String(16)),
    Column("as_found", Text),
    Column("note", Text),
    Column("replaced", Text),
    Index("ticket_by_machine", "machine", "id"),
)

repair = sa.Table(
    "repair",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("machine", String(160), nullable=False),
    Column("component", Text),
    Column("at_ns", BigInteger, nullable=False),
    Column("handed", sa.Boolean, nullable=False),
)

event = sa.Table(
    "event",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("subject", String(16), nullable=False),
    Column("subject_id", String(160), nullable=False),
    Column("machine", String(160)),
    Column("type", String(32), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Index("event_by_subject", "subject_id", "seq"),
    Index("event_by_machine", "machine", "seq"),
)

alert = sa.Table(
    "alert",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("machine", String(160), ForeignKey("machine.id"), nullable=False),
    Column("ticket_id", Uuid, ForeignKey("ticket.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("batch_id", Uuid, index=True),
    Column("batched_ns", BigInteger),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_ns", BigInteger, nullable=False),
    Column("delivered", Json, nullable=False),
    Index("alert_due", "state", "next_ns"),
    Index("alert_by_machine", "machine", "id"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("batch_id", Uuid, nullable=False, index=True),
    Column("machine", String(160), nullable=False),
    Column("channel", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("error", Text),
    Index("delivery_by_machine", "machine", "id"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("device", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("payload", sa.LargeBinary),
    Index("quarantine_by_device", "device", "id"),
)

quarantine_count = sa.Table(
    "quarantine_count",
    metadata,
    Column("device", Text, primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
)

reply = sa.Table(
    "reply",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", sa.LargeBinary, nullable=False),
    Index("reply_by_time", "recorded_ns"),
)

erasure = sa.Table(
    "erasure",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("pseudonym", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("removed", Json, nullable=False),
    Column("finished_ns", BigInteger),
)
