"""Which machines somebody sees, as a condition on rows."""

from typing import Any

import sqlalchemy as sa

from cloud.accounts.values import Reach
from cloud.ledger import accounts_tables as t


def within(reach: Reach, machine: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a machine is within reach.

    A machine belongs to the customer it is placed with, else to the tenant of its id.
    """
    placed = sa.select(t.site.c.machine).where(t.site.c.machine == machine)
    mine = placed.where(t.site.c.customer == reach.customer)
    if reach.sites:
        return sa.exists(mine.where(t.site.c.site.in_(reach.sites)))
    own = machine.startswith(f"{reach.customer}.", autoescape=True)
    return sa.or_(sa.exists(mine), sa.and_(own, ~sa.exists(placed)))
