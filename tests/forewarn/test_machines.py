import contextlib
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator

import pytest

from forewarn import machines
from forewarn.client import Client
from forewarn.tables import moment
from tests.cloud.api.plant import T0, Plant

Captured = pytest.CaptureFixture[str]


def test_lists_machines(url: str, plant: Plant, capsys: Captured) -> None:
    plant.register("acme.a", name="Press A")
    plant.register("acme.gw1:b", "data")
    plant.find("acme.gw1:b", "pressure")
    assert machines.main([]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("\t") == [
        "machine",
        "name",
        "profile",
        "state",
        "health",
        *head.split("\t")[5:],
    ]
    assert [line.split("\t")[:5] for line in lines] == [
        ["acme.a", "Press A", "press", "unknown", ""],
        ["acme.gw1:b", "", "press", "alarm", "20"],
    ]
    heard = {row["machine"]: row["heard"] for row in Client(url).get("board")["items"]}
    assert heard["acme.gw1:b"] != T0  # real time, whatever the machine's clock says
    assert lines[1].endswith(f"\t{moment(heard['acme.gw1:b'])}")


def test_lists_more_than_a_page(url: str, plant: Plant, capsys: Captured) -> None:
    names = [f"acme.p{i:03}" for i in range(201)]
    for name in names:
        plant.register(name)
    assert machines.main(["--json"]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == names


def test_filters(url: str, plant: Plant, capsys: Captured) -> None:
    plant.register("acme.a")
    plant.register("acme.b")
    plant.find("acme.b", "pressure")
    for words in (["-q", "b"], ["--state", "alarm"]):
        assert machines.main([*words, "--json"]) == 0
        assert [one["id"] for one in json.loads(capsys.readouterr().out)] == ["acme.b"]


def test_shows_one(url: str, plant: Plant, capsys: Captured) -> None:
    plant.register("acme.gw1:b", "data")
    plant.store("acme.gw1:b", "pressure", [T0], [1.5])
    plant.find("acme.gw1:b", "pressure")
    assert machines.main(["acme.gw1:b"]) == 0
    out = capsys.readouterr().out
    assert "pressure\tlimit-low\t1.5\t3\t2023-11-14 22:13:20Z" in out
    assert "pressure\t1.5\tbar\t2023-11-14 22:13:20Z (data)" in out
    assert "assessed  2023-11-14 22:13:20Z (data)" in out
    assert machines.main(["acme.gw1:b", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["assessment"]["state"] == "alarm"
    assert len(shown["signals"]) == 2


def test_says_which_limits_do_not_apply(url: str, plant: Plant, capsys: Captured) -> None:
    plant.register("acme.a", units=(("pressure", "kPa"), ("axis/x", "mm")))
    assert machines.main(["acme.a"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (
        "pressure: the device sends kPa, the profile expects bar: its limits do not apply"
    )


def test_no_machines_yet(url: str, capsys: Captured) -> None:
    assert machines.main([]) == 0
    assert "connect a device" in capsys.readouterr().err


def test_an_unknown_machine(url: str, capsys: Captured) -> None:
    assert machines.main(["acme.nothing"]) == 1
    assert "acme.nothing" in capsys.readouterr().err


def test_wrong_arguments(capsys: Captured) -> None:
    assert machines.main(["--colour"]) == 2
    assert "--colour" in capsys.readouterr().err


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_port


def test_nobody_answers(capsys: Captured, closed_port: int) -> None:
    address = f"http://127.0.0.1:{closed_port}"
    assert machines.main(["--url", address]) == 1
    err = capsys.readouterr().err
    assert f"no service answers at {address}" in err
    assert "forewarn serve" in err


@pytest.mark.parametrize(
    "address",
    [
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "nonsense",
        "http://[",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:80 80",
        "http://me:secret@127.0.0.1",
    ],
)
def test_what_is_no_address(capsys: Captured, address: str) -> None:
    assert machines.main(["--url", address]) == 1
    assert "is not an address" in capsys.readouterr().err


class Stranger(http.server.BaseHTTPRequestHandler):
    """Some other web server."""

    def do_GET(self) -> None:
        found = b"<html>welcome</html>"
        self.send_response(404 if "nothing" in self.path else 200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """The address of a server that is not ours."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("words", [[], ["nothing"]])
def test_another_server_answers(stranger: str, capsys: Captured, words: list[str]) -> None:
    assert machines.main([*words, "--url", stranger]) == 1
    assert "forewarn" in capsys.readouterr().err.partition(":")[2]


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says one thing to whatever is asked, and what it was asked."""
    asked: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(4096))
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"items": []}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"next": null}',
    ],
)
def test_what_is_no_answer_of_ours_is_said(capsys: Captured, answer: bytes) -> None:
    with answering(answer) as (address, _):
        assert machines.main(["--url", address]) == 1
    assert f"{address} answers, but not as forewarn does" in capsys.readouterr().err


def test_a_redirect_takes_the_token_nowhere(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREWARN_TOKEN", "fw_secret")
    with answering(b"") as (elsewhere, asked):
        words = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n"
        with answering(words.encode()) as (address, _):
            assert machines.main(["--url", address]) == 1
    assert "answers 302 Found" in capsys.readouterr().err
    assert asked == []


def test_who_has_no_token_is_told_where_it_goes(capsys: Captured) -> None:
    body = b'{"title": "Unauthorized", "detail": "sign in, or send a valid token", "errors": []}'
    words = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(body)}\r\n\r\n"
    with answering(words.encode() + body) as (address, _):
        assert machines.main(["--url", address]) == 1
    said = capsys.readouterr().err
    assert "send a valid token; `forewarn token add` makes one" in said
    assert "FOREWARN_TOKEN" in said


def test_what_is_no_token_is_said(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_TOKEN", "a\nb")
    assert machines.main([]) == 1
    assert "`forewarn token add` makes one" in capsys.readouterr().err
