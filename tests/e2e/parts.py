"""Real parts for end-to-end tests: a broker, the service, an agent, each a process that can die."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from forewarn.broker import find_mosquitto, free_port

READY_S = 900  #: a first start compiles the models: minutes on a computer that is busy
COMES_S = 300
ANSWER_S = 120
STOPPED_S = 120  #: far more than it takes; whoever wants to know how long measures it
T = TypeVar("T")


class Part:
    """One process: started, killed without warning, or asked to stop."""

    def __init__(
        self, words: list[str], log: Path, ready: str | None = None, within_s: float = READY_S
    ) -> None:
        self.words = words
        self.log = log
        self.ready = ready
        self.within_s = within_s
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._out: IO[bytes] | None = None

    def __enter__(self) -> "Part":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it says that it is ready (a line of its log, or its port)."""
        self._out = self.log.open("ab")
        begin = self.log.stat().st_size
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path.cwd())}
        self.process = subprocess.Popen(
            self.words, stdout=self._out, stderr=self._out, env=environment, start_new_session=True
        )
        try:
            if self.ready:
                self._await_line(begin)
        except BaseException:
            self.kill()
            raise

    def _await_line(self, begin: int) -> None:
        assert self.process is not None
        deadline = time.monotonic() + self.within_s
        with self.log.open("rb") as log:
            log.seek(begin)
            seen = b""
            while time.monotonic() < deadline:
                seen += log.read()
                if self.ready and self.ready.encode() in seen:
                    return
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
        raise AssertionError(f"{self.words} did not become ready:\n{seen.decode()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        """Signal it and wait; whatever comes of that, nothing of it is left."""
        process, self.process = self.process, None
        if process is None:
            return 0
        try:
            process.send_signal(number)
            return process.wait(STOPPED_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if self._out:
                self._out.close()


def mosquitto(folder: Path, port: int) -> Part:
    """Return a Mosquitto 2 that forgets everything when killed (the harder case)."""
    program = find_mosquitto()
    assert program, "mosquitto is not installed"
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_queued_messages 10000\nmax_packet_size 1048576\nlog_dest stderr\n"
    )
    part = Part([program, "-c", str(config)], folder / "broker.log", ready="running")
    part.port = port
    return part


def service(folder: Path, broker_port: int, **changes: Any) -> "Service":
    """Return a service with all its data below `folder`."""
    api_port = free_port()
    settings = folder / "cloud.toml"
    settings.write_text(
        f'data = "{folder / "data"}"\nsnapshot_s = {changes.get("snapshot_s", 5.0)}\n'
        f"[broker]\nport = {broker_port}\nversion = {changes.get('version', 5)}\n"
        f"[api]\nport = {api_port}\n"
    )
    entry = changes.get("entry", ["-m", "forewarn", "serve"])
    words = [sys.executable, *entry, str(settings)]
    return Service(Part(words, folder / "service.log", ready="ready: http"), api_port, folder)


class Service:
    """The service's process and its API."""

    def __init__(self, part: Part, port: int, folder: Path) -> None:
        self.part = part
        self.port = port
        self.data = folder / "data"

    def get(self, path: str) -> Any:
        """GET a path below /api/v1 and return the JSON."""
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
            return json.load(answer)

    def pages(self, path: str) -> Iterator[Any]:
        """GET all pages."""
        page = self.get(path)
        yield page
        while page.get("next"):
            page = self.get(page["next"].removeprefix("/api/v1"))
            yield page

    def items(self, path: str) -> list[Any]:
        """GET all items of a list."""
        return [item for page in self.pages(path) for item in page["items"]]


def eventually(look: Callable[[], T | None]) -> T:
    """Return what `look` finds as soon as it finds something; 404 means not yet."""
    deadline = time.monotonic() + COMES_S
    while time.monotonic() < deadline:
        try:
            found = look()
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            found = None
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")
