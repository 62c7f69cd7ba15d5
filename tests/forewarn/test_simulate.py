"""A simulated fleet through a real broker into the real service."""

import argparse
import asyncio
import json
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from forewarn.broker import find_mosquitto, find_nats, free_port
from forewarn.client import Client
from forewarn.simulate import main, parser, scenario_of
from simulators.scenario import ScenarioError

ROOT = Path(__file__).parents[2]


def options(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


def test_one_machine_in_fifty_fails_unless_said_otherwise() -> None:
    assert len(scenario_of(options("--machines", "100")).expect) == 2
    assert len(scenario_of(options("--machines", "4")).expect) == 1
    assert len(scenario_of(options("--machines", "4", "--failing", "0")).expect) == 0


def test_seed_and_days_of_a_scenario_can_be_set() -> None:
    plain = scenario_of(options("--scenario", "pump-bearing"))
    other = scenario_of(options("--scenario", "pump-bearing", "--seed", "5", "--days", "2"))
    assert (other.seed, other.days) == (5, 2.0)
    assert plain.machines == other.machines


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScenarioError):
        scenario_of(options("--scenario", "nothing"))
    assert main(["--scenario", "nothing"]) == 1
    assert "there is no scenario 'nothing'" in capsys.readouterr().err


def test_says_where_no_broker_answers_instead_of_waiting_for_ever(
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    assert main(["--machines", "1", "--port", str(port)]) == 1
    assert f"no broker answers at 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--machines", "0"], "expected a whole number from 1"),
        (["--gateway-size", "0"], "expected a whole number from 1"),
        (["--failing", "-1"], "expected a whole number from 0"),
        (["--failing", "2.5"], "expected a whole number from 0"),
        (["--failing", "3", "--machines", "2"], "at most 2, all --machines"),
        (["--seed", "-1"], "expected a whole number from 0"),
        (["--days", "-1"], "expected a number that is not below 0"),
        (["--days", "0"], "expected a number above 0"),
        (["--port", "x"], "a port is a number from 0 to 65535"),
    ],
)
def test_a_wrong_number_is_named_with_what_is_taken(
    words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f"argument {words[0]}: {wanted}" in capsys.readouterr().err


async def forewarn(*words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "forewarn",
        *words,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.broker
@pytest.mark.skipif(not (find_mosquitto() or find_nats()), reason="no MQTT broker is installed")
async def test_every_reading_of_a_fleet_reaches_the_service(tmp_path: Path) -> None:
    mqtt, api = free_port(), free_port()
    settings = tmp_path / "cloud.toml"
    settings.write_text(f'data = "{tmp_path}/data"\n[broker]\nport = {mqtt}\n[api]\nport = {api}\n')
    service = await forewarn("serve", "--embedded-broker", str(settings))
    try:
        said = b""
        while b"ready: " not in said:
            assert service.stdout is not None
            said = await service.stdout.readline()
            assert said, "the service ended"
        version = "5" if find_mosquitto() else "4"
        words = ("--machines", "8", "--days", "2", "--speed", "0", "--gateway-size", "3")
        more = ("--port", str(mqtt), "--mqtt", version, "--truth", str(tmp_path / "truth.json"))
        fleet = await forewarn("simulate", *words, *more)
        said, _ = await fleet.communicate()
        assert fleet.returncode == 0, said
        client = Client(f"http://127.0.0.1:{api}")
        counters = (await asyncio.to_thread(client.get, "health"))["service"]["counters"]
        assert counters["samples"] == 3 * 48  # three gateways, two days of hours
        [failure] = json.loads((tmp_path / "truth.json").read_text())
        assert failure["component"]
    finally:
        service.terminate()
        await service.communicate()
    assert service.returncode == 0
