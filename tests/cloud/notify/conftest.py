from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.ledger import Ledger, Registration, open_ledger
from tests.cloud.ledger.made import MACHINE, T0, Clock, profiles


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    one = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock, profiles())
    one.register([Registration(MACHINE, MACHINE, "pump", "Pump 1", T0, "data")])
    yield one
    one.close()
