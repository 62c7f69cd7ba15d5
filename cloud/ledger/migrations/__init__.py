"""Alembic migrations of the ledger, run in code by `cloud.ledger.database`."""
