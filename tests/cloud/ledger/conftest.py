from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.ledger import Ledger, open_ledger
from tests.cloud.ledger.made import MACHINE, T0, Clock, profiles


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reopen(tmp_path: Path, clock: Clock) -> Iterator[Callable[[], Ledger]]:
    """Opens the same ledger file, as often as asked."""
    opened: list[Ledger] = []

    def open_() -> Ledger:
        opened.append(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock, profiles()))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def ledger(reopen: Callable[[], Ledger]) -> Ledger:
    one = reopen()
    one.register(
        machine=MACHINE, device=MACHINE, profile="pump", name="Pump 1", clock="data", at_ns=T0
    )
    return one
