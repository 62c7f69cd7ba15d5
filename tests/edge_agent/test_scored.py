"""A trained model beside a source: scores where it can, readings always."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from edge_agent.agent import feed_of
from edge_agent.drivers import Options, Reading, checks
from edge_agent.errors import DriverError
from edge_agent.scored import scored
from edge_agent.settings import SourceSettings, check
from models.contract.messages import Metric
from tests.edge_agent.made import take
from tests.models.anomaly.trained import MINUTE, SIGNALS, START, plant, saved

SCORE = "plant-autoencoder.score"


class Plant:
    """Endless rows of the plant, or a script of its own."""

    Options: ClassVar[type[Options]] = Options
    patient: ClassVar[bool] = True

    def __init__(self, rows: Sequence[dict[str, Any]] | None = None) -> None:
        usual = [dict(zip(SIGNALS, row, strict=True)) for row in plant(50, seed=5).tolist()]
        self.rows = usual if rows is None else rows

    def signals(self) -> Sequence[Metric]:
        return [Metric(name=name) for name in SIGNALS]

    async def readings(self) -> AsyncGenerator[Reading, None]:
        for i, row in enumerate(self.rows):
            yield Reading(values=row, wall_ns=START + i * MINUTE)


async def test_it_keeps_the_promises_of_a_driver(tmp_path: Path) -> None:
    path = saved(tmp_path)
    await checks.run(lambda: scored(Plant(), str(path)))


async def test_each_reading_has_its_score_and_the_same_one_again(tmp_path: Path) -> None:
    driver = scored(Plant(), str(saved(tmp_path)))
    assert [metric.name for metric in driver.signals()] == [*SIGNALS, SCORE]
    assert driver.patient
    found = await take(driver)
    assert len(found) == 50
    assert all(0.0 <= float(reading.values[SCORE] or 0) < 1.0 for reading in found)
    assert await take(scored(Plant(), str(saved(tmp_path)))) == found


async def test_what_is_no_number_is_missing_for_the_model(tmp_path: Path) -> None:
    odd = {"load": 10**400, "flow": float("nan"), "temp": None, "vib": True, "door": False}
    [one] = await take(scored(Plant([odd]), str(saved(tmp_path))))
    assert isinstance(one.values[SCORE], float)
    assert one.values["load"] == 10**400


async def test_readings_go_on_while_the_child_is_away(tmp_path: Path) -> None:
    driver = scored(Plant(), str(saved(tmp_path)))
    there = []
    async with asyncio.timeout(120), contextlib.aclosing(driver.readings()) as stream:
        async for reading in stream:
            there.append(SCORE in reading.values)
            if len(there) == 10:
                for child in psutil.Process().children():
                    if "edge_agent.inference" in child.cmdline():
                        os.kill(child.pid, signal.SIGKILL)
    assert len(there) == 50
    assert all(there[:10])
    assert not all(there)


async def test_readings_go_on_when_the_child_refuses_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path)
    driver = scored(Plant(), str(path))
    path.write_bytes(b"changed after the start")
    found = await take(driver)
    assert len(found) == 50
    assert not any(SCORE in reading.values for reading in found)
    assert [r for r in caplog.messages if "until the agent starts again" in r] == [
        r for r in caplog.messages if "not the one that its card describes" in r
    ]


def test_a_tampered_model_stops_the_start(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DriverError, match=r"model: .*not the one that its card describes"):
        feed_of(SourceSettings(model=str(path)))


def test_settings_give_any_source_a_model(tmp_path: Path) -> None:
    feed = feed_of(SourceSettings(model=str(saved(tmp_path))))
    assert SCORE in {metric.name for metric in feed.metrics()}
    assert not feed.driver.patient


def test_a_high_rate_source_takes_it_under_options(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(
        '[[sources]]\ndriver = "high-rate"\nmodel = "x.onnx"\n[sources.options]\n'
        'command = ["adc"]\nrate_hz = 20000\n'
    )
    [problem] = check(path)
    assert "edge.toml:3: sources[0].model: high-rate takes it under options" in problem
