"""The same way on each broker of the demo: MQTT 5 on Mosquitto, MQTT 3.1.1 on nats-server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forewarn.broker import BrokerError, embedded
from tests.e2e.parts import READY_S, eventually, service

pytestmark = pytest.mark.broker
ROWS = 500


@pytest.mark.parametrize("name", ["mosquitto", "nats-server"])
def test_a_recording_arrives_whole(name: str, tmp_path: Path) -> None:
    lines = [f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z,{i / 8}" for i in range(ROWS)]
    (tmp_path / "recording.csv").write_text("\n".join(["timestamp,flow", *lines]))
    try:
        with embedded(tmp_path / "broker", prefer=name) as broker:
            settings = tmp_path / "edge.toml"
            form = "identity" if broker.version == 5 else "underscore"
            settings.write_text(
                f'tenant = "acme"\ndevice = "pump1"\ntime = "data"\n'
                f"[broker]\nport = {broker.port}\n"
                f'version = {broker.version}\nclient_id = "{form}"\n'
                f'[outbox]\npath = "{tmp_path}/outbox.db"\n[[sources]]\ndriver = "replay"\n'
                f'[sources.options]\nfile = "{tmp_path}/recording.csv"\nspeed = 0\n'
            )
            running = service(tmp_path, broker.port, version=broker.version)
            running.part.start()
            try:
                words = [sys.executable, "-m", "edge_agent", "run", "--until-sent", str(settings)]
                subprocess.run(words, check=True, timeout=READY_S)
                span = "start=2026-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
                path = f"/machines/acme.pump1/series?signal=flow&raw=true&{span}"
                found = eventually(
                    lambda: page if len((page := running.get(path))["values"]) == ROWS else None
                )
            finally:
                assert running.part.stop() == 0
    except BrokerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    assert found["values"] == [i / 8 for i in range(ROWS)]
