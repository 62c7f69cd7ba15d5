"""Commands on the service's side: sent until answered, ended when nobody answers, never twice."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from cloud.diagnostics.console import GRACE_NS, LONGEST_WAIT_NS, SILENT, UNFINISHED, Console
from cloud.diagnostics.signing import Signer
from cloud.diagnostics.values import Answered, Asked, CommandRow
from cloud.errors import NotFound, SettingsError, StoreBusy
from cloud.ledger import Ledger, Registration, open_ledger
from edge_agent.signature import checker
from models.contract import codec, topics
from models.contract.messages import Command
from models.contract.wire import CommandText

S = 10**9
T0 = 1_790_000_000 * S
T = TypeVar("T")


class Wire:
    """A link that remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, CommandText, Command, int]] = []

    def command(self, topic: str, payload: bytes, *, seconds: int, correlation: bytes) -> None:
        found = codec.decode(topics.parse(topic), payload)
        assert isinstance(found, Command)
        assert len(correlation) == 16
        text = msgspec.json.decode(found.text, type=CommandText)
        self.sent.append((topic, text, found, seconds))


class Desk:
    """A console over a real ledger, and the clock that it goes by."""

    def __init__(self, folder: Path) -> None:
        self.now = T0
        self.folder = folder
        self.ledger: Ledger = open_ledger(f"sqlite:///{folder}/ledger.db", lambda: self.now)
        self.ledger.register([Registration("acme.gw1:p1", "acme.gw1", "generic", None, T0, "wall")])
        self.wire = Wire()
        self.console = self.start()

    def start(self) -> Console:
        async def submit(work: Callable[[], T]) -> T:
            return work()

        return Console(
            self.ledger, self.wire, Signer(self.folder), submit=submit, now=lambda: self.now
        )

    def ask(self, seconds: int = 60, machine: str = "acme.gw1:p1") -> CommandRow:
        asked = Asked(
            machine=machine,
            device="acme.gw1",
            op="capture",
            args={"seconds": 5},
            expires_ns=self.now + seconds * S,
            actor="erika",
        )
        return self.console.ask(asked)

    def look(self, after_s: float = 0) -> None:
        self.now += int(after_s * S)
        asyncio.run(self.console.look())

    def answer(self, row: CommandRow, state: Any, status: int = 200, **more: Any) -> int:
        fields: dict[str, Any] = {
            "n": 1,
            "device": "acme.gw1",
            "text": None,
            "result": {},
            "at_ns": self.now,
        }
        fields |= {"heard_ns": self.now} | more
        return self.ledger.commands_answered(
            [Answered(id=row.id, state=state, status=status, **fields)]
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def test_it_is_sent_at_once_signed_and_with_its_expiry(desk: Desk) -> None:
    row = desk.ask()
    ((topic, text, command, seconds),) = desk.wire.sent
    assert topic == f"pm/1/acme.gw1/down/cmd/capture/{row.id}"
    assert (text.id, text.device, text.args) == (row.id, "acme.gw1", {"seconds": 5})
    assert (text.not_before, text.expires, seconds) == (T0, T0 + 60 * S, 60)
    assert row.state == "queued"
    check = checker(str(desk.folder / "command-key.pem"), trial=False)
    assert check(command) is None
    assert check(msgspec.structs.replace(command, text=command.text + " ")) is not None


def test_without_a_word_it_is_sent_again_ever_more_seldom_and_then_expires(desk: Desk) -> None:
    row = desk.ask(300)
    times = []
    for _ in range(310):
        before = len(desk.wire.sent)
        desk.look(1)
        times += [(desk.now - T0) // S] * (len(desk.wire.sent) - before)
    assert times[:4] == [2, 6, 14, 30]
    assert all(b - a == LONGEST_WAIT_NS // S for a, b in pairwise(times[3:]))
    assert desk.ledger.command(row.id).state == "expired"
    assert desk.ledger.command(row.id).text == SILENT


def test_a_device_that_is_away_is_never_said_to_have_it(desk: Desk) -> None:
    row = desk.ask()
    states = set()
    for _ in range(59):
        desk.look(1)
        states.add(desk.ledger.command(row.id).state)
    assert states == {"queued"}


def test_accepted_it_is_asked_for_until_the_result_comes(desk: Desk) -> None:
    row = desk.ask()
    desk.answer(row, "accepted", 202)
    assert desk.ledger.command(row.id).state == "accepted"
    desk.look(3)
    assert len(desk.wire.sent) == 2
    desk.answer(row, "done", result={"signals": {}})
    desk.look(30)
    assert len(desk.wire.sent) == 2
    found = desk.ledger.command(row.id)
    assert (found.state, found.status, found.result) == ("done", 200, {"signals": {}})


def test_accepted_but_without_a_result_it_expires_and_says_so(desk: Desk) -> None:
    row = desk.ask()
    desk.answer(row, "accepted", 202)
    desk.look(60 + GRACE_NS / S)
    assert desk.ledger.command(row.id).text == UNFINISHED


def test_an_end_is_never_taken_back_but_a_late_answer_corrects_an_expiry(desk: Desk) -> None:
    row = desk.ask()
    desk.look(71)
    assert desk.ledger.command(row.id).state == "expired"
    assert desk.answer(row, "accepted", 202) == 0
    assert desk.answer(row, "done") == 1
    assert desk.answer(row, "failed", 500) == 0
    assert desk.ledger.command(row.id).state == "done"


def test_another_device_cannot_answer(desk: Desk) -> None:
    row = desk.ask()
    assert desk.answer(row, "done", device="acme.other") == 0
    assert desk.ledger.command(row.id).state == "queued"


def test_a_restart_of_the_service_goes_on_with_what_is_open(desk: Desk) -> None:
    row = desk.ask()
    desk.console = desk.start()
    desk.look(1)
    assert len(desk.wire.sent) == 2
    desk.look(80)
    assert desk.ledger.command(row.id).state == "expired"


def test_a_command_is_ended_also_where_its_commit_was_never_confirmed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.look()
    add = desk.ledger.command_add

    def torn(asked: Asked) -> CommandRow:
        add(asked)
        raise StoreBusy("connection lost")

    monkeypatch.setattr(desk.ledger, "command_add", torn)
    with pytest.raises(StoreBusy):
        desk.ask()
    (row,) = desk.ledger.commands_open()
    desk.look(1)
    assert [text.id for _, text, _, _ in desk.wire.sent] == [row.id]
    desk.look(60 + GRACE_NS / S)
    assert desk.ledger.command(row.id).state == "expired"


def test_who_asked_what_stands_in_the_machines_history(desk: Desk) -> None:
    row = desk.ask()
    rows, _ = desk.ledger.events(machine="acme.gw1:p1")
    assert [(one.type, one.actor, one.detail["op"]) for one in rows if one.type == "asked"] == [
        ("asked", "erika", "capture")
    ]
    (listed,), _ = desk.ledger.commands(machine="acme.gw1:p1")
    assert listed == row


def test_an_unknown_machine_is_not_asked(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.ask(machine="acme.nothing")
    assert desk.wire.sent == []


def test_the_key_is_made_once_kept_private_and_named_when_damaged(tmp_path: Path) -> None:
    first = Signer(tmp_path)
    assert Signer(tmp_path).key_id == first.key_id
    path = tmp_path / "command.key"
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"junk")
    with pytest.raises(SettingsError, match="restore"):
        Signer(tmp_path)
