"""PostgreSQL goes away and comes back; what was said to be filed is there."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from cloud.errors import SettingsError, StoreBusy, StoreError
from cloud.ledger import Ledger, Place, Registration, open_ledger
from tests.cloud import postgres
from tests.cloud.ledger.made import MACHINE, T0, Clock, assess, high, profiles


@pytest.fixture
def server() -> Iterator[postgres.Postgres]:
    """A server of its own, for it is killed."""
    with postgres.running() as one:
        yield one


@pytest.fixture
def ledger(server: postgres.Postgres) -> Iterator[Ledger]:
    one = open_ledger(server.fresh(), Clock(), profiles())
    one.register([Registration(MACHINE, MACHINE, "pump", "Pump 1", T0, "data")])
    yield one
    one.close()


@pytest.mark.parametrize("signal_name", ["INT", "KILL"])
def test_it_is_busy_while_the_server_is_away_and_then_goes_on(
    server: postgres.Postgres, ledger: Ledger, signal_name: str
) -> None:
    ledger.file(1, [assess(1, high())])
    server.stop(signal_name)
    for _ in range(2):
        with pytest.raises(StoreBusy, match="does PostgreSQL run"):
            ledger.file(2, [assess(2, high(severity=3))])
        with pytest.raises(StoreBusy):
            ledger.tickets()
    server.start()
    assert ledger.position() == 1
    ledger.file(2, [assess(2, high(severity=3))])
    assert ledger.position() == 2
    (ticket,), _ = ledger.tickets()
    assert ticket.severity == 3


class Way:
    """A way to a server; once `cut`, connections end by a reset when something is asked on them."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._clients: set[socket.socket] = set()
        self._doomed: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._clients.add(client)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(65_536):
                if one in self._doomed:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RD)
                    break
                other.sendall(piece)
        one.close()
        other.close()

    def cut(self) -> None:
        self._doomed |= self._clients

    def close(self) -> None:
        self._listener.close()


def test_a_reset_on_the_way_is_busy_and_then_it_goes_on(server: postgres.Postgres) -> None:
    with contextlib.closing(Way(server.port)) as way:
        place = server.fresh().replace(f":{server.port}/", f":{way.port}/")
        ledger = open_ledger(place, Clock(), profiles())
        ledger.register([Registration(MACHINE, MACHINE, "pump", "Pump 1", T0, "data")])
        way.cut()
        for n in range(1, 4):  # a connection of the pool may be found to be gone before it is used
            with contextlib.suppress(StoreBusy):
                ledger.file(n, [assess(n, high())])
        ledger.file(4, [assess(4, high())])
        assert ledger.position() == 4
        ledger.close()


def test_a_wrong_password_and_a_missing_database_are_said_without_the_password(
    server: postgres.Postgres,
) -> None:
    good = f"postgresql://forewarn@127.0.0.1:{server.port}/postgres"
    with pytest.raises(StoreError, match="password") as raised:
        open_ledger(Place(url=good, password="swordfish"), Clock(), profiles())
    assert "swordfish" not in str(raised.value)
    missing = Place(url=good.replace("/postgres", "/none"), password=server.password)
    with pytest.raises(StoreError, match=r"none.*postgresql\.md"):
        open_ledger(missing, Clock(), profiles())


def test_beyond_this_machine_it_speaks_tls_or_not_at_all(server: postgres.Postgres) -> None:
    """The server here has no certificate; what matters is that nothing is said in the clear."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.ledger.engines._is_here", lambda _: False)
        place = Place(
            url=f"postgresql://forewarn@127.0.0.1:{server.port}/postgres", password=server.password
        )
        with pytest.raises(StoreBusy, match=r"(?i)ssl"):
            open_ledger(place, Clock(), profiles())
        with pytest.raises(SettingsError, match=r"ledger\.ca_file"):
            open_ledger(
                Place(url=place.url, password="x", ca_file="/none.pem"), Clock(), profiles()
            )


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), (None, True),
        ("10.0.0.1", False), ("db.example.org", False), ("localhost.example.org", False),
    ],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str | None, here: bool) -> None:
    from cloud.ledger import engines

    assert engines._is_here(host) is here
