"""Who else speaks of a signal, beside the evidence."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; evidence from before has none."""
    op.add_column("evidence", sa.Column("witnesses", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("evidence", "witnesses")
