"""The units that devices tell of their machines' signals."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; it fills with the next births."""
    op.create_table(
        "unit",
        sa.Column("machine", sa.String(length=160), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["machine"], ["machine.id"]),
        sa.PrimaryKeyConstraint("machine"),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("unit")
