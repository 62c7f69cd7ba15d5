"""An engineer asks the real host agent through the real service and broker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.parts import Part, Service, eventually

pytestmark = pytest.mark.broker


def agent_of(broker: Part, folder: Path) -> Part:
    settings = folder / "edge.toml"
    settings.write_text(
        f'tenant = "acme"\ndevice = "here"\n[broker]\nport = {broker.port}\n'
        f'[outbox]\npath = "{folder}/outbox.db"\n'
        '[[machines]]\nprofile = "host"\n[[sources]]\ndriver = "host"\ninterval_s = 0.2\n'
    )
    return Part([sys.executable, "-m", "edge_agent", "run", str(settings)], folder / "a.log")


def ask(service: Service, *words: str) -> "subprocess.CompletedProcess[str]":
    url = f"http://127.0.0.1:{service.port}"
    command = [sys.executable, "-m", "forewarn", "diagnose", "acme.here", *words, "--url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_agent_answers_a_capture_and_a_snapshot(
    broker: Part, running: Service, tmp_path: Path
) -> None:
    with agent_of(broker, tmp_path) as agent:
        eventually(lambda: running.get("/machines/acme.here"))
        words = ("capture", "-a", "seconds=1", "-a", "rate_hz=20", "-a", "signals=cpu", "--json")
        done = ask(running, *words)
        assert done.returncode == 0, done.stderr
        row = json.loads(done.stdout)
        assert (row["state"], row["status"]) == ("done", 200)
        assert len(row["result"]["signals"]["cpu"]["values"]) > 8
        shown = ask(running, "snapshot")
        assert shown.returncode == 0, shown.stderr
        assert "memory" in shown.stdout
        wrong = ask(running, "capture", "-a", "seconds=100")
        assert wrong.returncode == 1
        assert "seconds" in wrong.stderr
        assert agent.stop() == 0


def test_a_service_that_dies_in_flight_finds_the_answer_of_a_device_that_was_away(
    broker: Part, running: Service, tmp_path: Path
) -> None:
    with agent_of(broker, tmp_path) as agent:
        eventually(lambda: running.get("/machines/acme.here"))
        assert agent.stop() == 0
    url = f"http://127.0.0.1:{running.port}"
    words = [sys.executable, "-m", "forewarn", "diagnose", "acme.here", "selftest", "--url", url]
    with Part(words, tmp_path / "asking.log") as asking:
        (row,) = eventually(lambda: running.items("/machines/acme.here/commands") or None)
        assert row["state"] == "queued"
        asking.kill()
    running.part.kill()
    running.part.start()
    with agent:
        ended = eventually(
            lambda: (
                found
                if (found := running.get(f"/commands/{row['id']}"))["state"]
                not in ("queued", "accepted")
                else None
            )
        )
        assert agent.stop() == 0
    assert (ended["state"], ended["status"]) == ("done", 200)
    assert {check["check"] for check in ended["result"]["checks"]} >= {"outbox", "disk", "clock"}
