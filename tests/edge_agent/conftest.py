import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent import scored
from forewarn.broker import free_port


@dataclass
class Broker:
    """A real mosquitto on a free loopback port, which a test may kill and start again."""

    program: str
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            "connection_messages false\n"  # nobody reads what it says after it runs
        )
        self.process = subprocess.Popen(
            [self.program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:  # event-driven: the broker says when it listens
            if b"running" in line:
                return
        raise RuntimeError("mosquitto did not start")

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.process = None


@pytest.fixture(autouse=True, scope="session")
def patience() -> Iterator[None]:
    """A busy computer is not a child that hangs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scored, "ANSWER_S", 120.0)
        yield


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("no mosquitto on PATH or in /usr/sbin: apt install mosquitto")
    running = Broker(program, tmp_path, free_port())
    running.start()
    yield running
    if running.process is not None:
        running.kill()
