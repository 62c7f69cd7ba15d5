"""A real recording through agent, broker, ingest, journal, store and scoring."""

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.parts import READY_S, Part, Service, eventually

pytestmark = pytest.mark.broker
NAME = "realKnownCause/machine_temperature_system_failure.csv"
SPAN = "start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z"


def recorded(path: Path) -> list[tuple[int, float]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [
        (int(datetime.fromisoformat(t).astimezone(UTC).timestamp()) * 10**9, float(v))
        for t, v in rows
    ]


def raw_pages(running: Service, machine: str) -> list[tuple[int, float]]:
    pairs: list[tuple[int, float]] = []
    for page in running.pages(f"/machines/{machine}/series?signal=value&raw=true&{SPAN}"):
        pairs += zip(page["times_ns"], page["values"], strict=True)
    return pairs


def test_the_recorded_pairs_come_back_and_the_alarms_are_listed_beside_the_labels(
    broker: Part,
    running: Service,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = recordings / "nab" / NAME
    settings = tmp_path / "edge.toml"
    settings.write_text(
        f'tenant = "nab"\ndevice = "machine"\ntime = "data"\n[broker]\nport = {broker.port}\n'
        f'[outbox]\npath = "{tmp_path}/outbox.db"\n'
        f'[[sources]]\ndriver = "replay"\n[sources.options]\nfile = "{source}"\nspeed = 0\n'
    )
    words = [sys.executable, "-m", "edge_agent", "run", "--until-sent", str(settings)]
    subprocess.run(words, check=True, timeout=READY_S)
    expected = recorded(source)
    eventually(lambda: len(raw_pages(running, "nab.machine")) >= len(expected) or None)
    found = raw_pages(running, "nab.machine")
    assert found == sorted(expected, key=lambda pair: pair[0])
    assert len(found) - len({t for t, _ in found}) == 12
    labels = json.loads((recordings / "nab" / "labels.json").read_text())[NAME]["label_times"]
    alarms = [
        (item["at"], condition["check"])
        for item in running.items("/machines/nab.machine/assessments?limit=200")
        for condition in item["conditions"]
        if condition["onset"]
    ]
    assert alarms, "22,695 rows with four known failures raise something"
    with capsys.disabled():
        print(f"\nalarms: {sorted(alarms)}\nlabels: {labels}")
