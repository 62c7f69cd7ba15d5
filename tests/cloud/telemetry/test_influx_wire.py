"""Requests and answers on kept connections, against a server that says just what a test wants."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from cloud.telemetry.influx import wire
from cloud.telemetry.influx.http import Away, Connection, Rejected, Server, TooSlow
from cloud.telemetry.influx.wire import Wire

STORED = b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: v2\r\nDate: today\r\n\r\n"
LEAVING = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
MEASURED = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
LARGE = b'HTTP/1.1 413 Too large\r\nContent-Length: 15\r\n\r\n{"message":"m"}'


class Scripted:
    """Takes connections one after another; each has answers, one for a request, and then ends."""

    def __init__(self, *scripts: list[bytes], deaf: bool = False) -> None:
        self.asked: list[tuple[int, bytes, bytes]] = []  #: connection, head, body
        self.left = threading.Semaphore(0)  #: released at the end of each connection
        self._deaf = deaf  #: answers what it has not heard to its end
        self._listening = socket.create_server(("127.0.0.1", 0))
        if deaf:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/base/"
        self._thread = threading.Thread(target=self._run, args=(scripts,))
        self._thread.start()

    def _run(self, scripts: tuple[list[bytes], ...]) -> None:
        for number, answers in enumerate(scripts):
            sock, _ = self._listening.accept()
            with sock, sock.makefile("rb") as source:
                for answer in answers:
                    head = b"".join(iter(source.readline, b"\r\n"))
                    size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                    body = b"" if self._deaf else source.read(size)
                    self.asked.append((number, head, body))
                    sock.sendall(answer)
            self.left.release()

    def end(self) -> None:
        self._thread.join(30)
        self._listening.close()
        assert not self._thread.is_alive()


@contextlib.contextmanager
def answering(*scripts: list[bytes], deaf: bool = False) -> Iterator[Scripted]:
    server = Scripted(*scripts, deaf=deaf)
    yield server
    server.end()


def test_every_form_of_an_answer_leaves_the_connection_for_the_next_request() -> None:
    body = memoryview(bytes(range(256)) * 100)
    with answering([STORED, CHUNKED, STORED, MEASURED, BUSY, STORED]) as server:
        kept = Wire(server.url, {"Authorization": "Token t"}, size=2)
        answers = [kept.request("POST", "/x?y=z", {}, body) for _ in range(6)]
        kept.close()
    assert [answer.status for answer in answers] == [204, 200, 204, 200, 503, 204]
    assert [answer.data for answer in answers] == [b"", b"abcde", b"", b"abc", b"", b""]
    assert [answer.after for answer in answers] == [None] * 4 + ["7", None]
    assert {number for number, _, _ in server.asked} == {0}
    _, head, heard = server.asked[0]
    assert head.startswith(b"POST /base/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization: Token t\r\n" in head
    assert heard == body


@pytest.mark.parametrize("last", [STORED, LEAVING])
def test_a_connection_that_the_server_left_is_not_used_again(last: bytes) -> None:
    with answering([last], [STORED]) as server:
        kept = Wire(server.url, {}, size=2)
        assert kept.request("POST", "/", {}, b"a").status == 204
        assert server.left.acquire(timeout=30)
        assert kept.request("POST", "/", {}, b"b").status == 204
        kept.close()
    assert [(number, body) for number, _, body in server.asked] == [(0, b"a"), (1, b"b")]


def test_a_server_that_does_not_hear_all_may_say_why() -> None:
    with answering([LARGE], deaf=True) as server:
        connection = Connection(Server(url=server.url, org="o", token="t"))
        with pytest.raises(Rejected, match="m") as refused:
            connection.write("b", bytes(32 << 20))
        connection.close()
    assert refused.value.status == 413


@pytest.mark.parametrize("torn", [b"", b"HTTP/1.1 20", b"no HTTP\r\n\r\n", MEASURED[:-1]])
def test_a_torn_answer_counts_as_away_and_is_not_taken_for_the_next(torn: bytes) -> None:
    with answering([torn], [STORED]) as server:
        connection = Connection(Server(url=server.url, org="o", token="t"))
        with pytest.raises(Away, match="no answer"):
            connection.write("b", b"x")
        connection.write("b", b"y")
        connection.close()


def test_what_cannot_be_sent_counts_as_away_and_does_not_say_the_token() -> None:
    with answering([]) as server, pytest.raises(Away, match="no answer") as away:
        Connection(Server(url=server.url, org="o", token="t\nX: 1")).write("b", b"x")
    assert "X: 1" not in str(away.value)
    with pytest.raises(Away, match="no answer"):
        Connection(Server(url="https://influx..example", org="o", token="t")).write("b", b"x")


def test_an_answer_in_another_encoding_counts_as_away() -> None:
    body = '{"message":"nicht verfügbar"}'.encode("latin-1")
    head = b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering([head + body]) as server:
        connection = Connection(Server(url=server.url, org="o", token="t"))
        with pytest.raises(Away, match="answered 503"):
            connection.write("b", b"x")
        connection.close()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://[2001:db8::5]/influx", ("2001:db8::5", 443)),
        ("https://db:8443", ("db", 8443)),
        ("http://[::1]", ("::1", 80)),
    ],
)
def test_an_address_without_a_port_means_that_of_its_scheme(
    url: str, address: tuple[str, int]
) -> None:
    new = Wire(url, {}, size=1)._new()
    assert (new.host, new.port) == address


def quick(url: str) -> Server:
    """Return a server that is not waited for because of what was sent."""
    return Server(url=url, org="o", token="t", slowest_kb_s=1_000_000)


class Still:
    """Reads nothing but heads, says `first` after each, and keeps every connection."""

    def __init__(self, connections: int, first: bytes = b"") -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._done = threading.Event()
        self.heard = threading.Event()  #: a head
        self._thread = threading.Thread(target=self._run, args=(connections, first))
        self._thread.start()

    def _run(self, connections: int, first: bytes) -> None:
        with contextlib.ExitStack() as kept:
            for _ in range(connections):
                sock = kept.enter_context(self._listening.accept()[0])
                source = kept.enter_context(sock.makefile("rb"))
                list(iter(source.readline, b"\r\n"))
                self.heard.set()
                sock.sendall(first)
            assert self._done.wait(120)

    def end(self) -> None:
        self._done.set()
        self._thread.join(30)
        self._listening.close()
        assert not self._thread.is_alive()


def test_an_early_answer_is_read_also_where_the_connection_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "READ_S", 0.2)
    monkeypatch.setattr(wire, "EARLY_S", 60.0)
    server = Still(1, LARGE)
    try:
        connection = Connection(quick(server.url))
        with pytest.raises(Rejected, match="m"):
            connection.write("b", bytes(32 << 20))
        assert connection._wire._idle == []  # what it did not hear would be taken for a request
    finally:
        server.end()


@pytest.mark.parametrize("size", [1, 32 << 20], ids=["answer", "request"])
def test_a_server_that_is_late_twice_is_too_slow_for_so_much(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(wire, "READ_S", 0.05)
    monkeypatch.setattr(wire, "EARLY_S", 0.05)
    server = Still(2)
    try:
        connection = Connection(quick(server.url))
        with pytest.raises(Away) as first:
            connection.write("b", bytes(size))
        with pytest.raises(TooSlow):
            connection.write("b", bytes(size))
    finally:
        server.end()
    assert not isinstance(first.value, TooSlow)


class Narrow:
    """Takes what comes in small bits, as over a slow link, and says that it is stored."""

    def __init__(self) -> None:
        self.heard = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        sock, _ = self._listening.accept()
        with sock, sock.makefile("rb", buffering=0) as source:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += source.read(1)
            size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            while self.heard < size and not self._left.wait(0.01):
                self.heard += len(source.read(4_096))
            sock.sendall(STORED)

    def end(self) -> None:
        self._left.set()
        self._thread.join(30)
        self._listening.close()
        assert not self._thread.is_alive()


def test_what_takes_long_on_its_way_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_S", 0.1)
    server = Narrow()
    size = 1 << 20
    try:
        to = Server(url=server.url, org="o", token="t", slowest_kb_s=1)
        Connection(to).write("b", bytes(size))
    finally:
        server.end()
    assert server.heard == size


def test_who_is_slower_than_the_settings_say_learns_their_name_and_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "READ_S", 0.05)
    server = Still(1)
    try:
        to = Server(url=server.url, org="o", token="t", slowest_kb_s=1_000)
        with pytest.raises(Away, match=r" 1,000,000 bytes; telemetry\.slowest_kb_s = 1000 "):
            Connection(to).write("b", bytes(1_000_000))
    finally:
        server.end()


def test_an_end_lets_go_of_a_server_that_is_waited_for() -> None:
    server = Still(1)
    gone: list[Exception] = []

    def write() -> None:
        try:
            connection.write("b", bytes(32 << 20))
        except Away as error:
            gone.append(error)

    try:
        connection = Connection(Server(url=server.url, org="o", token="t"))
        writing = threading.Thread(target=write)
        writing.start()
        assert server.heard.wait(60)
        connection.end()
        writing.join(20)
        assert not writing.is_alive()
    finally:
        server.end()
    with pytest.raises(Away):
        connection.write("b", b"x")
    assert len(gone) == 1
