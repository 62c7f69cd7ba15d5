import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from cloud.ledger import Verdict
from forewarn import advisories, tickets
from forewarn.client import Client
from models.assessment import Life
from tests.cloud.api.plant import PRESS, SECOND, T0, Plant

DAY_S = 86_400
Captured = pytest.CaptureFixture[str]


def late(monkeypatch: pytest.MonkeyPatch, meanwhile: list[Callable[[], None]]) -> None:
    """Let the next thing happen between what a verb reads and what it sends."""
    send = Client._send

    def sent(*args: Any) -> Any:
        if meanwhile:
            meanwhile.pop(0)()
        return send(*args)

    monkeypatch.setattr(Client, "_send", sent)


@pytest.fixture
def number(url: str, plant: Plant) -> str:
    """The number of a new ticket."""
    plant.register("acme.a", "data")
    plant.find("acme.a", "pressure")
    return str(plant.ledger.tickets()[0][0].number)


def test_lists_open_ones_in_words(number: str, capsys: Captured) -> None:
    assert tickets.main(["--lang", "zh"]) == 0
    line = capsys.readouterr().out.splitlines()[1].split("\t")
    assert line[:4] == [number, "acme.a", "new", "密封泄漏"]
    assert line[4].endswith("Z (data)")


def test_from_new_to_closed(number: str, plant: Plant, capsys: Captured) -> None:
    steps = [
        (["ack", number, "--by", "li"], "in_progress"),
        (["resolve", number, "--verdict", "confirmed", "--replaced", "seal"], "resolved"),
        (["reopen", number, "--note", "drips"], "in_progress"),
        (["comment", number, "on my way"], "comment added"),
        (["resolve", number, "--verdict", "inconclusive"], "resolved"),
        (["close", number], "closed_confirmed"),
    ]
    for words, state in steps:
        assert tickets.main(words) == 0
        assert capsys.readouterr().out == f"ticket {number}: {state}\n"
    assert plant.repaired == [("acme.a", "seal")]
    assert tickets.main([]) == 0
    assert capsys.readouterr().out == ""
    assert tickets.main(["--all", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["state"], found["assignee"]) == ("closed_confirmed", "li")


def test_shows_one_with_its_history(number: str, capsys: Captured) -> None:
    assert tickets.main(["comment", number, "look behind the cover"]) == 0
    capsys.readouterr()
    assert tickets.main(["show", number, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "Change the seal" in out
    assert "why" in out
    assert "look behind the cover" in out
    assert tickets.main(["show", number, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by = f"{found['order_by'][:10]} UTC (data)"  # all of that day is in time
    assert f"order by       {by}\n" in out
    assert tickets.main(["show", found["id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert found["history"][-1]["detail"]["text"] == "look behind the cover"


def test_a_dry_run_changes_nothing(number: str, capsys: Captured) -> None:
    assert tickets.main(["cancel", number, "--note", "sold", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == "cancel"
    assert tickets.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "new"


def test_what_the_state_forbids(number: str, capsys: Captured) -> None:
    assert tickets.main(["close", number]) == 1
    assert "acknowledge" in capsys.readouterr().err


def test_a_step_is_taken_where_only_the_service_changed_it_and_refused_where_somebody_did(
    url: str, plant: Plant, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.register("acme.a", "data")
    plant.find("acme.a", "pressure", severity=2)
    ticket = plant.ledger.tickets()[0][0]

    def taken_on() -> None:
        version = plant.ledger.ticket(ticket.id).version
        plant.ledger.acknowledge(ticket.id, version, actor="li")

    def more_severe() -> None:
        plant.find("acme.a", "pressure", T0 + SECOND, severity=3)

    meanwhile = [taken_on, more_severe]
    late(monkeypatch, meanwhile)
    words = ["resolve", str(ticket.number), "--verdict", "inconclusive"]
    assert tickets.main(["ack", str(ticket.number)]) == 1
    assert plant.ledger.ticket(ticket.id).assignee == "li"
    assert "somebody" in capsys.readouterr().err
    assert tickets.main(words) == 0
    assert meanwhile == []
    done = plant.ledger.ticket(ticket.id)
    assert (done.state, done.severity, done.version) == ("resolved", 3, ticket.version + 3)


def test_nothing_is_put_away_that_became_more_severe(
    url: str, plant: Plant, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more_severe() -> None:
        plant.find("acme.a", "axis/x", T0 + SECOND, severity=3)
        plant.find("acme.a", "pressure", T0 + SECOND, severity=3)

    plant.register("acme.a", "data")
    meanwhile: list[Callable[[], None]] = []
    late(monkeypatch, meanwhile)
    plant.find("acme.a", "axis/x", severity=2)
    plant.find("acme.a", "pressure", severity=2)
    advisory = next(one for one in plant.ledger.advisories()[0] if one.mode == "play")
    ticket = plant.ledger.tickets()[0][0]
    meanwhile.append(more_severe)
    assert advisories.main(["reject", advisory.id, "--reason", "known"]) == 1
    assert "more severe" in capsys.readouterr().err
    now = plant.ledger.advisory(advisory.id)
    assert (now.state, now.severity) == ("open", 3)
    assert plant.ledger.ticket(ticket.id).severity == 3
    assert advisories.main(["reject", advisory.id, "--reason", "known"]) == 0  # knowing it


def test_a_ticket_is_not_cancelled_that_became_more_severe(
    url: str, plant: Plant, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.register("acme.a", "data")
    plant.find("acme.a", "pressure", severity=2)
    ticket = plant.ledger.tickets()[0][0]
    late(monkeypatch, [lambda: plant.find("acme.a", "pressure", T0 + SECOND, severity=3)])
    assert tickets.main(["cancel", str(ticket.number), "--note", "sold"]) == 1
    assert "more severe" in capsys.readouterr().err
    now = plant.ledger.ticket(ticket.id)
    assert (now.state, now.severity) == ("new", 3)


@pytest.mark.parametrize("note", [None, "do not close it before Friday"])
def test_what_a_colleague_did_again_is_not_closed_unseen(
    url: str,
    plant: Plant,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    note: str | None,
) -> None:
    plant.register("acme.a", "data")  # its clock stands still: times of steps tell nothing
    plant.find("acme.a", "pressure")
    ledger = plant.ledger
    ticket = ledger.tickets()[0][0]

    def version() -> int:
        return ledger.ticket(ticket.id).version

    def again() -> None:
        ledger.reopen(ticket.id, version(), actor="wu", note="still leaks")
        ledger.resolve(
            ticket.id, version(), actor="wu", verdict=Verdict.CONFIRMED, replaced="seal", note=note
        )
        ledger.comment(ticket.id, actor="wu", text="see the note")

    ledger.resolve(ticket.id, version(), actor="li", verdict=Verdict.CONFIRMED, replaced="seal")
    late(monkeypatch, [again])
    assert tickets.main(["close", str(ticket.number)]) == 1
    assert "somebody" in capsys.readouterr().err
    assert ledger.ticket(ticket.id).state == "resolved"


@pytest.mark.parametrize("name", ["99", "nothing"])
def test_an_unknown_ticket(number: str, capsys: Captured, name: str) -> None:
    assert tickets.main(["show", name]) == 1
    assert name in capsys.readouterr().err


def test_an_advisory_shows_the_life_of_now_with_its_time(
    url: str, plant: Plant, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = replace(PRESS.failure_modes["leak"], life=True)
    monkeypatch.setitem(PRESS.failure_modes, "leak", mode)
    plant.register("acme.a", "data")
    plant.find("acme.a", "pressure")
    before = plant.ledger.assessments("acme.a", limit=1)[0][0].assessment
    for left_d, at_ns in ((10.0, T0 + SECOND), (9.5, T0 + DAY_S * SECOND)):
        life = Life(
            component="seal",
            mode="leak",
            basis="counter",
            fraction=None,
            p10_s=8 * DAY_S,
            p50_s=left_d * DAY_S,
            p90_s=13 * DAY_S,
        )
        plant.n += 1
        plant.ledger.file(plant.n, [replace(before, n=plant.n, at_ns=at_ns, lives=(life,))])
    advisory = plant.ledger.advisories()[0][0]
    assert advisories.main(["show", advisory.id]) == 0
    said = capsys.readouterr().out
    assert "8 d .. 10 d .. 13 d (p10 .. p50 .. p90) from 2023-11-15 22:13:20Z (data)" in said
    assert advisories.main(["show", advisory.id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["life"]["p50_s"], shown["life_at"][:10]) == (9.5 * DAY_S, "2023-11-15")


def test_advisories_are_decided(url: str, plant: Plant, capsys: Captured) -> None:
    for name in ("acme.a", "acme.b", "acme.c", "acme.d"):
        plant.register(name)
        plant.find(name, "axis/x")
    assert advisories.main(["--json"]) == 0
    found = {one["machine"]: one["id"] for one in json.loads(capsys.readouterr().out)}
    assert sorted(found) == ["acme.a", "acme.b", "acme.c", "acme.d"]
    assert advisories.main(["show", found["acme.a"]]) == 0
    assert "axis/x\tlimit-low\t1.5\t3" in capsys.readouterr().out
    decisions = [
        (["accept", found["acme.a"]], "accepted"),
        (["defer", found["acme.b"], "--until", "2040-01-01T00:00:00Z"], "deferred"),
        (["reject", found["acme.c"], "--reason", "a test"], "rejected"),
        (["shelve", found["acme.d"], "--reason", "a test"], "deferred"),
    ]
    for words, state in decisions:
        assert advisories.main([*words, "--dry-run"]) == 0
        assert json.loads(capsys.readouterr().out)["step"] == words[0]
        assert advisories.main(words) == 0
        assert f": {state}" in capsys.readouterr().out
    assert advisories.main([]) == 0
    put_away = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert sorted(put_away) == ["acme.b", "acme.d"]
    assert tickets.main(["--machine", "acme.a", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
