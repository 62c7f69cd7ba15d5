"""A real server over a small plant, as the reading verbs meet it, and a port that is taken."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from tests.cloud.api.conftest import opened, plant
from tests.cloud.api.plant import Opened

__all__ = ["opened", "plant"]


class Server(uvicorn.Server):
    """Says when it listens, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.listening.set()

    def install_signal_handlers(self) -> None:
        """Nothing: the test ends it."""


@pytest.fixture
def url(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a running service; also in FOREWARN_URL."""
    config = uvicorn.Config(opened.app(), host="127.0.0.1", port=0, log_config=None)
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.listening.wait(120)
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("FOREWARN_URL", address)
    yield address
    server.should_exit = True
    thread.join(120)
    assert not thread.is_alive()


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which something takes connections, as a broker does."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]
