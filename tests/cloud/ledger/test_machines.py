from collections.abc import Callable

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from cloud.errors import NotFound
from cloud.ledger import Ledger, MachineRow, Registration
from models.assessment import State
from tests.cloud.ledger.made import MACHINE, SECOND, T0, Clock, assess, band, high


def _register(ledger: Ledger, machine: str, **more: object) -> None:
    said = {"device": machine, "profile": "pump", "name": None, "at_ns": T0} | more
    ledger.register([Registration(machine, **said)])  # type: ignore[arg-type]


def test_registering_again_changes_nothing(ledger: Ledger) -> None:
    before = ledger.machine(MACHINE)
    assert (before.profile, before.profile_version, before.version) == ("pump", 3, 1)
    _register(ledger, MACHINE, name="Pump 1", clock="data", at_ns=T0 + SECOND)
    assert ledger.machine(MACHINE) == before
    assert len(ledger.events()[0]) == 1


def test_another_profile_is_in_force_from_its_time_on(ledger: Ledger) -> None:
    _register(ledger, MACHINE, profile="generic", clock="data", name="Pump 1", at_ns=T0 + SECOND)
    row = ledger.machine(MACHINE)
    assert (row.profile, row.profile_since_ns, row.version) == ("generic", T0 + SECOND, 2)
    _register(ledger, MACHINE, profile="pump", clock="data", name="Pump 1", at_ns=T0)  # a replay
    assert ledger.machine(MACHINE) == row
    assert [e.type for e in ledger.events()[0]] == ["registered", "changed"]


def test_the_units_are_those_of_the_newest_birth(ledger: Ledger) -> None:
    assert ledger.units(MACHINE) == {}
    _register(ledger, MACHINE, at_ns=T0 + 2, units=(("temp", "Cel"), ("a/b", "V")))
    _register(ledger, MACHINE, at_ns=T0 + 1, units=(("temp", "K"),))  # a replay
    assert ledger.units(MACHINE) == {"temp": "Cel", "a/b": "V"}
    births = [
        Registration(MACHINE, MACHINE, "pump", None, T0 + at, units=units)
        for at, units in ((4, (("temp", "[degF]"),)), (3, (("temp", "K"),)))
    ]
    ledger.register(births)
    assert ledger.units(MACHINE) == {"temp": "[degF]"}
    assert ledger.units_of([MACHINE, "acme.nobody"]) == {MACHINE: {"temp": "[degF]"}}
    _register(ledger, MACHINE, at_ns=T0 + 5)
    assert ledger.units(MACHINE) == {}
    assert ledger.units_of([MACHINE]) == {}
    with pytest.raises(NotFound):
        ledger.units("acme.nobody")


def test_history_says_which_units_are_not_the_profiles(ledger: Ledger) -> None:
    for at, unit in enumerate(("mm/s", "um/s", "um/s", "mm/s", "mm/s{rms}")):
        _register(ledger, MACHINE, at_ns=T0 + at, units=(("vibration", unit), ("other", "V")))
        assert ledger.machines_in_other_units() == ([MACHINE] if unit == "um/s" else [])
    found = [(e.at_ns - T0, e.detail) for e in ledger.events()[0] if e.type == "units"]
    differing = {"signal": "vibration", "told": "um/s", "profile": "mm/s"}
    assert found == [(1, {"differing": [differing]}), (3, {"differing": []})]


def test_an_unknown_profile_is_judged_as_generic(ledger: Ledger) -> None:
    _register(ledger, "acme.x", profile="teapot")
    assert ledger.machine("acme.x").profile_version is None
    ledger.file(1, [assess(1, high(), machine="acme.x")])
    (advisory,), _ = ledger.advisories()
    assert (advisory.mode, advisory.profile) == ("abnormal", "generic")


def test_many_machines_behind_one_device(ledger: Ledger) -> None:
    for key in ("pump1", "pump2"):
        _register(ledger, f"acme.gw:{key}", device="acme.gw")
    rows, _ = ledger.machines(query="GW")
    assert [(row.id, row.device) for row in rows] == [
        ("acme.gw:pump1", "acme.gw"),
        ("acme.gw:pump2", "acme.gw"),
    ]


def test_machines_are_found_by_name_state_and_page(ledger: Ledger) -> None:
    for n in range(5):
        _register(ledger, f"acme.m{n}", name=f"Ofen_{n} 100%")
    ledger.file(1, [assess(1, high(), lives=(band(1, 2, 3),), machine="acme.m2")])
    rows, _ = ledger.machines(state=State.ALERT)
    assert [(row.id, row.left_s) for row in rows] == [("acme.m2", 2 * 86_400.0)]
    assert [row.id for row in ledger.machines(query="ofen_3")[0]] == ["acme.m3"]
    assert ledger.machines(query="_3 1%")[0] == []  # % and _ are letters here
    page, after = ledger.machines(limit=4)
    rest, end = ledger.machines(limit=4, after=after)
    assert [row.id for row in page + rest] == [*(f"acme.m{n}" for n in range(5)), MACHINE]
    assert end is None


def test_assessments_are_listed_by_time(ledger: Ledger) -> None:
    ledger.file(9, [assess(n) for n in range(10)])
    rows, after = ledger.assessments(
        MACHINE, start_ns=T0 + 2 * SECOND, end_ns=T0 + 8 * SECOND, limit=4
    )
    assert [row.assessment.n for row in rows] == [7, 6, 5, 4]
    rest, after = ledger.assessments(
        MACHINE, start_ns=T0 + 2 * SECOND, end_ns=T0 + 8 * SECOND, limit=4, after=after
    )
    assert [row.assessment.n for row in rest] == [3, 2]
    assert after is None


def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no machine"):
        ledger.machine("acme.none")
    with pytest.raises(NotFound):
        ledger.assessments("acme.none")


def test_times_of_tickets_follow_the_machines_clock(ledger: Ledger, clock: Clock) -> None:
    _register(ledger, "acme.wall")
    for n, machine in enumerate((MACHINE, "acme.wall")):
        ledger.file(n, [assess(n, high(), machine=machine)])
    clock.now = T0 + 500 * SECOND
    times = {}
    for row in ledger.advisories()[0]:
        version = row.version
        if row.ticket_id:
            ticket = ledger.ticket(row.ticket_id)
            taken = ledger.acknowledge(ticket.id, ticket.version, actor="ann")
            times[row.machine] = taken.acknowledged_ns
        assert version == 1
    assert times[MACHINE] == T0
    assert times["acme.wall"] is not None
    assert times["acme.wall"] >= T0 + 500 * SECOND


def _births(count: int, at_ns: int = T0, profile: str = "pump") -> list[Registration]:
    return [
        Registration(
            machine=f"acme.gw{n // 20}:m{n}", device=f"acme.gw{n // 20}", profile=profile,
            name=f"Machine {n}", at_ns=at_ns,
        )
        for n in range(count)
    ]  # fmt: skip


def test_a_thousand_machines_in_one_transaction(ledger: Ledger) -> None:
    before = len(ledger.events(limit=1000)[0])
    births = _births(999)
    assert ledger.register(births) == 999
    rows, _ = ledger.machines(limit=1000)
    assert {row.id for row in rows} == {MACHINE, *(one.machine for one in births)}
    assert ledger.register(births) == 0
    assert len(ledger.events(limit=1000)[0]) == min(1000, before + 999)


def test_many_at_once_are_as_one_after_the_other(
    ledger: Ledger, reopen: Callable[[], Ledger]
) -> None:
    births = [
        *_births(30),
        *_births(30, T0 + SECOND, "generic"),
        *_births(5, T0 - SECOND),  # older: changes nothing
        *_births(7, T0 + SECOND, "pump"),  # bound anew at the same moment
    ]
    ledger.register(births)
    together = [_without_times(row) for row in ledger.machines(limit=100, query="gw")[0]]
    events = [(e.subject_id, e.type, e.at_ns) for e in ledger.events(limit=1000)[0]][1:]
    for one in births:
        machine, device = (name.replace("acme", "zeta") for name in (one.machine, one.device))
        ledger.register([replace(one, machine=machine, device=device)])
    single = [_without_times(row) for row in ledger.machines(limit=100, query="zeta")[0]]
    assert [row.replace("zeta", "acme") for row in single] == together
    later = [(e.subject_id, e.type, e.at_ns) for e in ledger.events(limit=1000)[0]]
    after = [(i.replace("zeta", "acme"), k, at) for i, k, at in later[len(events) + 1 :]]
    assert after == events


def _without_times(row: MachineRow) -> str:
    return repr(msgspec.structs.replace(row, recorded_ns=0))


def test_lists_of_many_lengths_are_asked_for_with_few_statements(ledger: Ledger) -> None:
    names = [f"acme.m{i:03}" for i in range(70)]
    said: set[str] = set()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.add(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        for name in names:
            _register(ledger, name, units=(("temp", "K"),))
        for count in range(1, len(names) + 1):
            assert list(ledger.units_of(names[:count])) == names[:count]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    lists = [text for text in said if "unit" in text and text.lstrip().startswith("SELECT")]
    assert 1 < len(lists) <= 1 + len((1, 2, 4, 8, 16, 32, 64, 128))
