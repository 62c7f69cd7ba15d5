"""A small plant on real stores, and a client of the API over it."""

import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cloud.ledger import open_ledger
from cloud.telemetry.sqlite import SqliteTelemetry
from tests.cloud.api.people import CHEAP
from tests.cloud.api.plant import BASE, GENERIC, PRESS, T0, Opened, Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    clock = [T0]

    def tick() -> int:
        clock[0] += 1_000_000
        return clock[0]

    profiles = {"press": PRESS, "generic": GENERIC}
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", tick, profiles)
    telemetry = SqliteTelemetry(tmp_path / "telemetry.db")
    yield Plant(ledger, telemetry, clock)
    telemetry.close()
    ledger.close()


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash at a thousandth of the cost; tests/cloud/accounts holds what it costs otherwise."""
    monkeypatch.setattr("cloud.accounts.passwords._hasher", CHEAP)
    monkeypatch.setattr("cloud.accounts.passwords._NOBODY", CHEAP.hash("of nobody"))


@pytest.fixture
def opened(plant: Plant) -> Iterator[Opened]:
    with ThreadPoolExecutor(1) as pool:
        yield Opened(plant, pool)


@pytest.fixture
async def api(opened: Opened) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened.app())
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


@pytest.fixture
def recording() -> Path:
    """The NAB recording of a machine's temperature."""
    folder = Path(os.environ.get("FOREWARN_DATA", "../shared/data"))
    found = sorted(folder.rglob("machine_temperature_system_failure.csv"))
    if not found:
        pytest.skip("no NAB machine temperature recording: FOREWARN_DATA names its folder")
    return found[0]
