"""A backup of a running service while devices send, restored elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.parts import Part, Service, eventually, service

pytestmark = pytest.mark.broker
DEVICES = 6


def _logged(folder: Path) -> dict[str, int]:
    """Return how many samples each device's outbox has accepted so far."""
    counts: dict[str, int] = {}
    for line in (folder / "appended.jsonl").read_text().splitlines():
        row = json.loads(line)
        counts[row["device"]] = max(counts.get(row["device"], 0), row["seq"] + row["count"])
    return counts


def _values(one: Service, machine: str) -> list[float]:
    path = f"/machines/{machine}/series?signal=k&raw=true&limit=20000"
    return sorted(float(value) for value in one.get(path)["values"])


def _stored(one: Service) -> int:
    return int(one.get("/health")["service"]["counters"]["samples"])


def test_what_was_stored_before_a_backup_is_in_it(
    running: Service, broker: Part, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "tests.e2e.devices", str(broker.port), str(tmp_path)]
    words += [str(DEVICES), "0", "receipt"]
    with Part(words, tmp_path / "devices.log", "started") as devices:
        _check(running, tmp_path, devices)


def _check(running: Service, tmp_path: Path, devices: Part) -> None:
    eventually(lambda: _stored(running) > 300 or None)
    before = {f"kill.d{i}": len(_values(running, f"kill.d{i}")) for i in range(DEVICES)}
    forewarn = [sys.executable, "-m", "forewarn"]
    settings = tmp_path / "cloud.toml"
    done = subprocess.run(
        [*forewarn, "backup", str(settings), str(tmp_path / "backups"), "--json"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    during = _stored(running)
    eventually(lambda: _stored(running) > during or None)  # the service went on
    devices.stop()
    whole = {name: _values(running, name) for name in before}

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = service(elsewhere, 1)
    (backup,) = (tmp_path / "backups").iterdir()
    done = subprocess.run(
        [*forewarn, "restore", str(elsewhere / "cloud.toml"), str(backup)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with again.part:
        for name, count in before.items():
            restored = _values(again, name)
            assert len(restored) >= count > 0
            assert restored == whole[name][: len(restored)]
            assert len(restored) <= _logged(tmp_path)[name]
        numbers = [ticket["number"] for ticket in again.items("/tickets")]
        assert (
            numbers == [ticket["number"] for ticket in running.items("/tickets")][-len(numbers) :]
        )
