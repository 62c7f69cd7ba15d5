"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "repair",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("component", sa.Text(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("handed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("delivery_by_machine", "delivery", ["machine", "id"], unique=False)
    op.create_index("ix_delivery_batch_id", "delivery", ["batch_id"], unique=False)
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "event",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=160), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("event_by_machine", "event", ["machine", "seq"], unique=False)
    op.create_index("event_by_subject", "event", ["subject_id", "seq"], unique=False)
    op.create_table(
        "position",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("quarantine_by_device", "quarantine", ["device", "id"], unique=False)
    op.create_table(
        "quarantine_count",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "reason"),
    )
    op.create_table(
        "machine",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("profile_version", sa.Integer(), nullable=True),
        sa.Column("profile_since_ns", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("clock", sa.String(length=8), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("health", sa.Float(), nullable=True),
        sa.Column("coverage", sa.Float(), nullable=True),
        sa.Column("left_s", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["device.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "advisory",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("policy", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=True),
        sa.Column("duration_h", sa.Float(), nullable=False),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("life", sa.Text(), nullable=True),
        sa.Column("life_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("due_earliest_ns", sa.BigInteger(), nullable=False),
        sa.Column("due_latest_ns", sa.BigInteger(), nullable=False),
        sa.Column("order_by_ns", sa.BigInteger(), nullable=True),
        sa.Column("coverage", sa.Float(), nullable=False),
        sa.Column("confidence", sa.String(length=8), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("defer_until_ns", sa.BigInteger(), nullable=True),
        sa.Column("observe_until_ns", sa.BigInteger(), nullable=True),
        sa.Column("previous_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["machine"],
            ["machine.id"],
        ),
        sa.ForeignKeyConstraint(
            ["previous_id"],
            ["advisory.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("advisory_by_machine", "advisory", ["machine", "id"], unique=False)
    op.create_index(
        "advisory_one_a_key",
        "advisory",
        ["machine", "component", "mode"],
        unique=True,
        sqlite_where=sa.text("(state NOT IN ('closed', 'expired'))"),
        postgresql_where=sa.text("(state NOT IN ('closed', 'expired'))"),
    )
    op.create_table(
        "assessment",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("assessment", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine"],
            ["machine.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("assessment_by_time", "assessment", ["machine", "at_ns", "seq"], unique=False)
    op.create_table(
        "binding",
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("profile_version", sa.Integer(), nullable=True),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine"],
            ["machine.id"],
        ),
        sa.PrimaryKeyConstraint("machine", "since_ns"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("advisory_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("signal", sa.Text(), nullable=True),
        sa.Column("check", sa.String(length=16), nullable=True),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("life", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisory_id"],
            ["advisory.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_evidence_advisory_id", "evidence", ["advisory_id"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("advisory_id", sa.String(length=36), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=True),
        sa.Column("duration_h", sa.Float(), nullable=False),
        sa.Column("due_earliest_ns", sa.BigInteger(), nullable=False),
        sa.Column("due_latest_ns", sa.BigInteger(), nullable=False),
        sa.Column("order_by_ns", sa.BigInteger(), nullable=True),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("acknowledged_ns", sa.BigInteger(), nullable=True),
        sa.Column("resolved_ns", sa.BigInteger(), nullable=True),
        sa.Column("closed_ns", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("as_found", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("replaced", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisory_id"],
            ["advisory.id"],
        ),
        sa.ForeignKeyConstraint(
            ["machine"],
            ["machine.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("advisory_id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index("ticket_by_machine", "ticket", ["machine", "id"], unique=False)
    op.create_table(
        "alert",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("batched_ns", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine"],
            ["machine.id"],
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_by_machine", "alert", ["machine", "id"], unique=False)
    op.create_index("alert_due", "alert", ["state", "next_ns"], unique=False)
    op.create_index("ix_alert_batch_id", "alert", ["batch_id"], unique=False)
    _append_only("event")


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION forewarn_append_only CASCADE")
    op.drop_table("repair")
    op.drop_index("ix_alert_batch_id", table_name="alert")
    op.drop_index("alert_due", table_name="alert")
    op.drop_index("alert_by_machine", table_name="alert")
    op.drop_table("alert")
    op.drop_index("ticket_by_machine", table_name="ticket")
    op.drop_table("ticket")
    op.drop_index("ix_evidence_advisory_id", table_name="evidence")
    op.drop_table("evidence")
    op.drop_table("binding")
    op.drop_index("assessment_by_time", table_name="assessment")
    op.drop_table("assessment")
    op.drop_index(
        "advisory_one_a_key",
        table_name="advisory",
        sqlite_where=sa.text("(state NOT IN ('closed', 'expired'))"),
        postgresql_where=sa.text("(state NOT IN ('closed', 'expired'))"),
    )
    op.drop_index("advisory_by_machine", table_name="advisory")
    op.drop_table("advisory")
    op.drop_table("machine")
    op.drop_table("quarantine_count")
    op.drop_index("quarantine_by_device", table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("position")
    op.drop_index("event_by_subject", table_name="event")
    op.drop_index("event_by_machine", table_name="event")
    op.drop_table("event")
    op.drop_table("device")
    op.drop_index("ix_delivery_batch_id", table_name="delivery")
    op.drop_index("delivery_by_machine", table_name="delivery")
    op.drop_table("delivery")


def _append_only(table: str) -> None:
    """Let the database refuse to change or delete what is written down."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION forewarn_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the event log is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "EXECUTE FUNCTION forewarn_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END"
        )
