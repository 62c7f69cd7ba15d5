"""A device on another computer: its own network, reached over a wire, TLS and a password.

Two network namespaces joined by a virtual cable stand for two computers. The broker, made by
`forewarn device setup`, and the service run on one, the agent on the other, with nothing in common
but ca.pem and the device's password.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from forewarn.broker import find_mosquitto, free_port
from tests.e2e.parts import READY_S, Part
from tests.e2e.site import Site

pytestmark = pytest.mark.broker
ROWS = 300
HERE, THERE = "10.77.31.1", "10.77.31.2"


class Computer:
    """A network namespace with one end of the cable."""

    def __init__(self, name: str) -> None:
        self.name = name

    def words(self, *words: str) -> list[str]:
        """Return a command as it is run there."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, timeout: float = READY_S) -> "subprocess.CompletedProcess[str]":
        """Run a command there."""
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        return subprocess.run(
            self.words(*words), capture_output=True, text=True, env=environment, timeout=timeout,
            check=False,
        )  # fmt: skip


@pytest.fixture
def computers() -> Iterator[tuple[Computer, Computer]]:
    """The service's computer and the device's."""
    if shutil.which("ip") is None:
        pytest.skip("no ip command (Debian: apt install iproute2)")
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    names = [f"forewarn-{os.getpid()}-{which}" for which in ("here", "there")]

    def ip(*words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"network namespaces are not permitted: ip {words}: {done.stderr.strip()}")

    with ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
        ip("-n", names[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable",
           "netns", names[1])  # fmt: skip
        for name, address in zip(names, (HERE, THERE), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield Computer(names[0]), Computer(names[1])


def test_a_device_on_a_second_computer(
    computers: tuple[Computer, Computer], tmp_path: Path
) -> None:
    here, there = computers
    site = Site(tmp_path, host=HERE)
    password = site.add("acme.pump1", "--time", "data")
    with ExitStack() as stack:
        service = _running(stack, here, site, tmp_path)
        device = _device(tmp_path / "device", site, "pump1", password)
        sent = there.run(sys.executable, "-m", "edge_agent", "run", "--until-sent", str(device))
        assert sent.returncode == 0, sent.stderr
        assert _readings(here, service.port, "acme.pump1") == [i / 8 for i in range(ROWS)]
        assert there.run("mosquitto_pub", "-h", HERE, "-p", "1883", "-t", "x", "-m", "x").returncode


@pytest.mark.long
def test_a_device_that_is_not_registered_keeps_its_readings(
    computers: tuple[Computer, Computer], tmp_path: Path
) -> None:
    here, there = computers
    site = Site(tmp_path, host=HERE)
    password = site.add("acme.pump1", "--time", "data")
    kept = (site.folder / "devices.passwd").read_text()
    site.run("remove", "acme.pump1")
    (site.folder / "devices.passwd").write_text(kept)  # the broker lets it in, the service does not
    with ExitStack() as stack:
        service = _running(stack, here, site, tmp_path)
        device = _device(tmp_path / "device", site, "pump1", password)
        words = there.words(sys.executable, "-m", "edge_agent", "run", "--until-sent", str(device))
        agent = Part(words, tmp_path / "agent.log")
        agent.start()
        stack.callback(agent.kill)
        counts = _until(
            lambda: [
                one
                for one in _get(here, service.port, "/api/v1/quarantine/counts")["items"]
                if one["reason"] == "unknown-device"
            ]
        )
        assert counts[0]["device"] == "acme.pump1"
        assert _get(here, service.port, "/api/v1/machines")["items"] == []
        with_ledger = subprocess.run(
            [sys.executable, "-m", "forewarn", "device", "add", "acme.pump1", "--time", "data",
             "--broker", str(tmp_path / "other"), "--settings", str(site.settings)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "device setup" in with_ledger.stderr
        found = _until(lambda: _readings(here, service.port, "acme.pump1"))
        assert found == [i / 8 for i in range(ROWS)]


def _running(stack: ExitStack, here: Computer, site: Site, folder: Path) -> Part:
    """Start broker and service on one computer, until `stack` ends; return the service."""
    broker = site.broker()
    broker.words = here.words(*broker.words)
    broker.start()
    stack.callback(broker.stop)
    service = _service(here, site, folder)
    service.start()
    stack.callback(service.stop)
    return service


def _service(here: Computer, site: Site, folder: Path) -> Part:
    port = free_port()
    settings = folder / "cloud.toml"
    settings.write_text(
        f'data = "{site.data}"\n[api]\nport = {port}\n[broker]\nhost = "127.0.0.1"\n'
        f'port = {site.service_port}\nusername = "forewarn"\n'
        f'password_file = "{site.folder}/service.password"\nca_file = "{site.ca}"\n'
    )
    words = here.words(sys.executable, "-m", "forewarn", "serve", str(settings))
    part = Part(words, folder / "service.log", ready="ready: http")
    part.port = port
    return part


def _device(folder: Path, site: Site, name: str, password: str) -> Path:
    """Write what is on the second computer: settings, password, ca.pem, a recording."""
    folder.mkdir()
    (folder / "password").write_text(password)
    shutil.copy(site.ca, folder / "ca.pem")
    lines = [f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z,{i / 8}" for i in range(ROWS)]
    (folder / "recording.csv").write_text("\n".join(["timestamp,flow", *lines]))
    settings = folder / "edge.toml"
    settings.write_text(
        f'tenant = "acme"\ndevice = "{name}"\ntime = "data"\n[broker]\nhost = "{HERE}"\n'
        f'port = {site.port}\nusername = "acme.{name}"\npassword_file = "{folder}/password"\n'
        f'ca_file = "{folder}/ca.pem"\n[outbox]\npath = "{folder}/outbox.db"\n'
        f'[[sources]]\ndriver = "replay"\n[sources.options]\n'
        f'file = "{folder}/recording.csv"\nspeed = 0\n'
    )
    return settings


def _get(here: Computer, port: int, path: str) -> dict[str, list[dict[str, object]]]:
    """GET from the service, on its own computer."""
    code = (
        "import sys, urllib.request; "
        f"sys.stdout.write(urllib.request.urlopen('http://127.0.0.1:{port}{path}').read().decode())"
    )
    done = here.run(sys.executable, "-c", code)
    found: dict[str, list[dict[str, object]]] = json.loads(done.stdout or '{"items": []}')
    return found


def _readings(here: Computer, port: int, machine: str) -> list[object]:
    path = f"/api/v1/machines/{machine}/series?signal=flow&raw=true&start=0"
    span = "&end=2027-01-01T00:00:00Z"
    return list(_until(lambda: _get(here, port, path + span).get("values")))


def _until(look: Callable[[], Any]) -> Any:
    """Return what `look` finds as soon as it finds something."""
    for _ in range(240):
        found = look()
        if found:
            return found
        subprocess.run(["sleep", "0.25"], check=True)
    raise AssertionError("it did not come")
