"""What a newcomer does first, on real parts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.parts import Part, Service, eventually

pytestmark = pytest.mark.broker


def test_a_reading_by_mosquitto_pub_shows_up_as_a_machine(broker: Part, running: Service) -> None:
    program = shutil.which("mosquitto_pub")
    if program is None:
        pytest.skip("mosquitto_pub is not installed (Debian: apt install mosquitto-clients)")
    words = ["-q", "1", "-t", "pm/1/acme.pump1/up/t/live", "-m", '{"d":{"temp":41.9}}']
    subprocess.run([program, "-p", str(broker.port), *words], check=True)
    machine = eventually(lambda: running.get("/machines/acme.pump1"))
    assert machine["profile"] == "generic"
    (latest,) = running.get("/machines/acme.pump1/signals")["items"]
    assert (latest["signal"], latest["value"]) == ("temp", 41.9)


def test_the_host_driver_of_this_computer_arrives(
    broker: Part, running: Service, tmp_path: Path
) -> None:
    settings = tmp_path / "edge.toml"
    settings.write_text(
        f'tenant = "acme"\ndevice = "here"\n[broker]\nport = {broker.port}\n'
        f'[outbox]\npath = "{tmp_path}/outbox.db"\n'
        '[[machines]]\nprofile = "host"\n[[sources]]\ndriver = "host"\ninterval_s = 0.2\n'
    )
    with Part(
        [sys.executable, "-m", "edge_agent", "run", str(settings)], tmp_path / "a.log"
    ) as agent:
        found = eventually(lambda: running.get("/machines/acme.here/signals")["items"] or None)
        assert agent.stop() == 0
    assert "cpu" in " ".join(item["signal"] for item in found)
    shown = subprocess.run(
        [sys.executable, "-m", "edge_agent", "status", "--json", str(settings)],
        capture_output=True,
        check=True,
    )
    left = json.loads(shown.stdout)
    assert (left["gap_samples"], left["aside"]) == (0, 0)
    assert left["samples"] < 50, "what was sent and receipted is gone from the outbox"


def test_sigterm_drains_and_stops_and_a_start_goes_on(broker: Part, running: Service) -> None:
    program = shutil.which("mosquitto_pub")
    if program is None:
        pytest.skip("mosquitto_pub is not installed (Debian: apt install mosquitto-clients)")
    words = ["-q", "1", "-t", "pm/1/acme.pump1/up/t/live", "-m", '{"d":{"temp":[1,2,3]}}']
    subprocess.run([program, "-p", str(broker.port), *words], check=True)
    eventually(lambda: running.get("/machines/acme.pump1"))
    assert running.part.stop() == 0
    running.part.start()
    span = "start=1970-01-01T00:00:00Z&end=2200-01-01T00:00:00Z"
    answer = running.get(f"/machines/acme.pump1/series?signal=temp&raw=true&{span}")
    assert answer["values"] == [1, 2, 3]
