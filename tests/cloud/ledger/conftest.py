from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.ledger import Ledger, Registration, open_ledger
from cloud.ledger.database import Database
from tests.cloud import postgres
from tests.cloud.ledger.made import MACHINE, T0, Clock, profiles

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    """A PostgreSQL server."""
    with postgres.running() as one:
        yield one


@pytest.fixture(scope="session")
def template(server: postgres.Postgres) -> str:
    """The name of a database that has the ledger's tables, to be copied."""
    server.sql("CREATE DATABASE migrated")
    Database(server.url("migrated")).close()
    return "migrated"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database without tables."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("server").fresh())


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a ledger of its own."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    template = request.getfixturevalue("template")
    return str(request.getfixturevalue("server").fresh(template))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reopen(url: str, clock: Clock) -> Iterator[Callable[[], Ledger]]:
    """Opens the same ledger, as often as asked."""
    opened: list[Ledger] = []

    def open_() -> Ledger:
        opened.append(open_ledger(url, clock, profiles()))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def ledger(reopen: Callable[[], Ledger]) -> Ledger:
    one = reopen()
    one.register([Registration(MACHINE, MACHINE, "pump", "Pump 1", T0, "data")])
    return one
