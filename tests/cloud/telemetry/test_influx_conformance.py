"""The conformance suite of telemetry stores on a real InfluxDB 2 server."""

from functools import partial
from pathlib import Path

import pytest

from cloud.telemetry import checks, process_checks
from cloud.telemetry.influx.server import Influxd
from cloud.telemetry.influx.store import InfluxTelemetry
from tests.cloud.telemetry.influx_opening import open_influx


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_conforms(check, influxd: Influxd, tmp_path: Path) -> None:
    check(partial(open_influx, influxd.server), tmp_path)
