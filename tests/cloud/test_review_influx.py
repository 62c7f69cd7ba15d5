"""Second looks at late readings that lie in a real InfluxDB.

A replay has its readings in the embedded store: what is filed may not depend on where they are.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.telemetry.influx.server import Influxd
from tests.cloud.telemetry.conftest import influxd
from tests.cloud.telemetry.influx_opening import open_influx
from tests.cloud.test_pipeline import BehindBroker
from tests.cloud.test_review import (
    born,
    test_a_long_span_is_looked_at_in_pieces,
    test_a_look_ends_at_its_tick_however_records_are_grouped,
    test_a_replay_says_the_same,
    test_an_outage_that_hid_a_fault_is_looked_at_again,
    test_more_late_readings_have_a_higher_revision,
    test_rows_that_come_during_a_look_are_in_the_next_one,
)

__all__ = [
    "influxd",
    "test_a_long_span_is_looked_at_in_pieces",
    "test_a_look_ends_at_its_tick_however_records_are_grouped",
    "test_a_replay_says_the_same",
    "test_an_outage_that_hid_a_fault_is_looked_at_again",
    "test_more_late_readings_have_a_higher_revision",
    "test_rows_that_come_during_a_look_are_in_the_next_one",
]


@pytest.fixture
def path(influxd: Influxd, tmp_path: Path) -> Iterator[BehindBroker]:
    made = BehindBroker(tmp_path, open_influx(influxd.server, tmp_path / "influx"))
    yield born(made)
    made.close()
