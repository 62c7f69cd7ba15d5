"""Runs migrations on the connection that `cloud.ledger.database` hands over."""

from alembic import context

from cloud.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can; a half-done migration leaves nothing
)
context.run_migrations()
