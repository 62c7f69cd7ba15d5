"""From raw samples in a file to batches at the broker: features and a score under their signals."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.agent import Agent
from edge_agent.settings import (
    BrokerSettings,
    MachineSettings,
    OutboxSettings,
    Settings,
    SourceSettings,
)
from tests.edge_agent.cloud import listening
from tests.edge_agent.conftest import Broker

RATE = 4_000


@pytest.mark.broker
async def test_features_arrive_with_units_and_the_files_time(
    broker: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "pump.f4"
    samples = np.random.default_rng(0).normal(0.0, 1.0, 6 * RATE)
    path.write_bytes(samples.astype("<f4").tobytes())
    source = SourceSettings(
        driver="high-rate-file",
        machine="pump1",
        options={"file": str(path), "start": "2026-01-01T00:00:00Z", "rate_hz": RATE},
    )
    made = Settings(
        tenant="acme",
        device="gw1",
        time="data",
        broker=BrokerSettings(port=broker.port),
        outbox=OutboxSettings(path=str(tmp_path / "outbox.db"), max_mb=4),
        machines=(MachineSettings(key="pump1", profile="centrifugal-pump"),),
        sources=(source,),
    )
    counts: dict[str, int] = {}

    def accepts(sent: Any) -> bool:
        for name, column in sent.columns.items():
            counts[name] = counts.get(name, 0) + len(column)
        sent.columns["temp"] = sent.columns["pump1/vibration_rms"]
        return True

    async with listening(broker.port, "acme.gw1") as cloud, asyncio.timeout(120):
        cloud.accepts = accepts
        await Agent(made).run(until_sent=True)
    units = {metric.name: metric.unit for metric in cloud.births[-1].metrics}
    assert units["pump1/vibration_rms"] == "mm/s"
    assert set(counts) <= set(units)
    assert counts["pump1/vibration_rms"] == counts["pump1/drive-end.kurtosis"] == 6
    assert cloud.batches[0].t0_ns == 1_767_225_601 * 10**9  # the end of the first window
