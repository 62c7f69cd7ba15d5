"""Replies to writes by idempotency key, and erasures, which alone may empty an event's words."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SAID = "the event log is append-only"
#: touches what stays of an event for ever, whatever is erased (all of it NOT NULL)
CHANGED = (
    "NEW.seq <> OLD.seq OR NEW.id <> OLD.id OR NEW.recorded_ns <> OLD.recorded_ns "
    "OR NEW.subject <> OLD.subject OR NEW.type <> OLD.type OR NEW.at_ns <> OLD.at_ns"
)
UNDER_WAY = "EXISTS (SELECT 1 FROM erasure WHERE finished_ns IS NULL)"


def upgrade() -> None:
    """Make the tables; let an unfinished erasure, and nothing else, empty events."""
    op.create_table(
        "reply",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("reply_by_time", "reply", ["recorded_ns"], unique=False)
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("removed", sa.Text(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _drop_guards()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    """Remove the tables; no event changes any more."""
    _drop_guards()
    op.drop_table("erasure")
    op.drop_index("reply_by_time", table_name="reply")
    op.drop_table("reply")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION forewarn_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event "
            "EXECUTE FUNCTION forewarn_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        _refuse_sqlite(change)


def _drop_guards() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION forewarn_append_only CASCADE")
        op.execute("DROP FUNCTION IF EXISTS forewarn_event_update CASCADE")
        return
    for change in ("update", "delete"):
        op.execute(f"DROP TRIGGER event_no_{change}")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION forewarn_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_no_delete BEFORE DELETE OR TRUNCATE ON event "
        "EXECUTE FUNCTION forewarn_append_only()"
    )
    op.execute(
        "CREATE FUNCTION forewarn_event_update() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {CHANGED} OR NOT {UNDER_WAY} "
        f"THEN RAISE EXCEPTION '{SAID}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_no_update BEFORE UPDATE ON event "
        "FOR EACH ROW EXECUTE FUNCTION forewarn_event_update()"
    )


def _guard_sqlite() -> None:
    _refuse_sqlite("DELETE")
    _refuse_sqlite("UPDATE", f"WHEN {CHANGED} OR NOT {UNDER_WAY} ")


def _refuse_sqlite(change: str, when: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER event_no_{change.lower()} BEFORE {change} ON event {when}"
        f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    )
