"""The conformance suite of telemetry stores on a real InfluxDB 2 server."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cloud.telemetry import checks, process_checks
from cloud.telemetry.influx.server import Influxd
from tests.cloud.telemetry.influx_opening import open_influx

QUICK = [
    check for check in checks.CHECKS if check is not checks.any_session_agrees_with_the_reference
]
SESSIONS = 4


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_conforms(check: Callable[..., None], influxd: Influxd, tmp_path: Path) -> None:
    check(partial(open_influx, influxd.server), tmp_path)


@pytest.mark.parametrize("seed", range(SESSIONS))
def test_a_session_agrees_with_the_reference(seed: int, influxd: Influxd, tmp_path: Path) -> None:
    opening = partial(open_influx, influxd.server)
    checks.session(opening, tmp_path / "store", np.random.default_rng(seed))


@pytest.mark.long
def test_any_session_agrees_with_the_reference(influxd: Influxd, tmp_path: Path) -> None:
    checks.any_session_agrees_with_the_reference(partial(open_influx, influxd.server), tmp_path)


def test_survives_being_killed(influxd: Influxd, tmp_path: Path) -> None:
    opening = partial(open_influx, influxd.server)
    process_checks.survives_being_killed(opening, tmp_path, kills=3)


@pytest.mark.long
def test_survives_many_kills(influxd: Influxd, tmp_path: Path) -> None:
    opening = partial(open_influx, influxd.server)
    process_checks.survives_being_killed(opening, tmp_path, kills=40)


def test_another_process_reads_along(influxd: Influxd, tmp_path: Path) -> None:
    process_checks.another_process_reads_along(partial(open_influx, influxd.server), tmp_path)
