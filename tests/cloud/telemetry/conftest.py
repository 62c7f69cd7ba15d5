"""A real InfluxDB server for the tests of this folder; in CI its absence is a failure."""

import os
from collections.abc import Iterator

import pytest

from cloud.telemetry.influx.server import Influxd, find, running


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    if find() is None:
        reason = "no influxd; `make influxd` builds it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("influxd")) as server:
        yield server
        server.kill()  # what hundreds of tests wrote is thrown away: nothing needs to be tidied up
