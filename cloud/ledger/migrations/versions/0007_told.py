"""When a message last told of an alarm that sets a date."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing was told of what is there."""
    op.add_column("evidence", sa.Column("told_ns", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("evidence", "told_ns")
