"""Somebody with a password, and a browser to sign in with."""

import httpx
from argon2 import PasswordHasher

from cloud.accounts.desk import blank
from cloud.accounts.values import Account, Role
from tests.cloud.api.plant import BASE, Opened, Plant

PASSWORD = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
KEPT = CHEAP.hash(PASSWORD)


def with_password(plant: Plant, name: str, role: Role = Role.PLANNER, **more: object) -> Account:
    """Add somebody whose password is `PASSWORD`."""
    account = blank(name, role, password=KEPT, **more)
    return plant.ledger.account_add(account, None, actor="test")


def browser(opened: Opened, base: str = BASE, **changes: object) -> httpx.AsyncClient:
    """Return a client that keeps cookies and shows pages to a person."""
    transport = httpx.ASGITransport(opened.app(**changes))
    return httpx.AsyncClient(
        transport=transport, base_url=base, headers={"Accept": "text/html,*/*;q=0.1"}
    )


async def sign_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    """Sign in through the API."""
    return await client.post("/api/v1/session", json={"name": name, "password": password})
