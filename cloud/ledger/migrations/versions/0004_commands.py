"""Commands to devices, with what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "command",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("op", sa.String(length=31), nullable=False),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("answered_ns", sa.BigInteger(), nullable=True),
        sa.Column("heard_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["machine"], ["machine.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("command_by_machine", "command", ["machine", "id"], unique=False)
    op.create_index(op.f("ix_command_state"), "command", ["state"], unique=False)


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("command")
