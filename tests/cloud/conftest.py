"""Stores that are waited for: on a busy computer what was written may take its time."""

from collections.abc import Iterator

import pytest

from cloud.telemetry import sqlite
from cloud.telemetry.influx import store as influx

PATIENCE_S = 120.0


@pytest.fixture(autouse=True, scope="session")
def patience() -> Iterator[None]:
    """A reader waits in vain only where the store says that it cannot, never for the hurry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "READER_WAIT_S", PATIENCE_S)
        patch.setattr(influx, "SETTLE_S", PATIENCE_S)
        patch.setattr(influx, "DURABLE_S", PATIENCE_S)
        yield
