"""A server of our own for tests, trials and benchmarks: finds influxd, starts it on loopback.

Looked for in `FOREWARN_INFLUXD`, on PATH, and in the user's cache folder, where `make influxd` puts
it.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import urllib3

from cloud.errors import StoreBusy
from cloud.telemetry.influx.http import Away, Server, unanswered

VARIABLE: Final = "FOREWARN_INFLUXD"
READY_S: Final = 60.0
STOP_S: Final = 20.0
ORG: Final = "forewarn"
#: What is held in memory before it is put into files makes every collection of the server's, and
#: every question about what is newest, that much longer; `docs/how-to/influxdb.md` has them too.
SETTINGS: Final = {
    "storage-cache-snapshot-memory-size": "8388608",
    "storage-cache-snapshot-write-cold-duration": "1m",
}


def cached() -> Path:
    """Return where `make influxd` puts the server."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "forewarn" / "influxd"


def find() -> Path | None:
    """Return the server's program, if it is anywhere."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    on_path = shutil.which("influxd")
    if on_path:
        return Path(on_path)
    return cached() if cached().is_file() else None


def set_up(url: str, org: str, token: str) -> bool:
    """Make organisation, first user and token on a new server; False: it is not new."""
    place = f"{url}/api/v2/setup"
    try:
        if not urllib3.request("GET", place, retries=False).json()["allowed"]:
            return False
        body = {
            "username": "forewarn",
            "password": secrets.token_urlsafe(16),
            "org": org,
            "bucket": "unused",
            "token": token,
        }
        answer = urllib3.request("POST", place, body=msgspec.json.encode(body), retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise Away(unanswered(url, error)) from error
    if answer.status != 201:
        raise StoreBusy(f"{place}: answered {answer.status}")
    return True


@dataclass(slots=True)
class Influxd:
    """One server process with its data in a folder; it can be killed and started again."""

    program: Path
    folder: Path
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> Server:
        """Where it is, and its token."""
        return Server(url=f"http://127.0.0.1:{self.port}", org=ORG, token=self.token)

    def start(self, *, owned: bool = True) -> None:
        """Start it and wait until it answers; `owned`: set it up at the first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "influxd.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own program)
                [
                    str(self.program),
                    "--http-bind-address",
                    f"127.0.0.1:{self.port}",
                    "--bolt-path",
                    str(self.folder / "bolt"),
                    "--engine-path",
                    str(self.folder / "engine"),
                    "--sqlite-path",
                    str(self.folder / "sqlite"),
                    "--reporting-disabled",
                    "--log-level",
                    "warn",
                    *(f"--{name}={value}" for name, value in SETTINGS.items()),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._wait()
        if owned:
            set_up(self.server.url, ORG, self.token)

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                answer = urllib3.request(
                    "GET", f"{self.server.url}/health", retries=False, timeout=1.0
                )
                if answer.status == 200:
                    return
            time.sleep(0.05)
        raise StoreBusy(f"influxd does not answer; see {self.folder / 'influxd.log'}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it properly."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None


@contextlib.contextmanager
def running(folder: Path, program: Path | None = None, *, owned: bool = True) -> Iterator[Influxd]:
    """Run a server of our own; `StoreBusy` says where it was looked for."""
    found = program or find()
    if found is None:
        raise StoreBusy(
            f"no influxd in {VARIABLE}, on PATH or in {cached().parent}; `make influxd` builds it"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    influxd = Influxd(found, folder, port)
    try:
        influxd.start(owned=owned)
        yield influxd
    finally:
        influxd.stop()
