"""What machines of a type share, and what is kept of few lanes only."""

import gc

import numpy as np
from msgspec.structs import replace

from models.fleet import Fleet
from models.fleet.signals import Orders, Signals, together
from models.profile import Limits, Profile, Signal
from tests.models.fleet.machines import PROFILES, START, S, block


def test_signals_are_a_mapping_in_the_order_they_came() -> None:
    orders = Orders()
    one = Signals(orders, ["a", "b"], [4, 9])
    one.add(["c"], range(20, 21), orders)
    assert dict(one) == {"a": 4, "b": 9, "c": 20}
    assert (len(one), "c" in one, "d" in one, one.get("d")) == (3, True, False, None)
    assert list(one.values()) == [4, 9, 20]


def test_lanes_of_many_machines_are_the_same_whether_they_share_their_order_or_not() -> None:
    orders = Orders()
    alike = [Signals(orders, ["a", "b"], [4, 9]), Signals(orders, ["a", "b"], [1, 2])]
    assert together(alike, ["b", "x", "a"]).tolist() == [[9, -1, 4], [2, -1, 1]]
    mixed = [*alike, Signals(orders, ["b"], [7])]
    assert together(mixed, ["b", "x", "a"]).tolist() == [[9, -1, 4], [2, -1, 1], [7, -1, -1]]
    assert together([Signals(orders)], ["a"]).tolist() == [[-1]]
    assert (together([], ["a"]).shape, together(alike, []).shape) == ((0, 1), (2, 0))


def test_machines_of_a_type_share_names_and_bounds() -> None:
    fleet = Fleet(PROFILES)
    for number in range(50):
        fleet.bind(f"a.m{number}", "pump")
    assert len({id(fleet.signals(f"a.m{number}")._places) for number in range(50)}) == 1  # type: ignore[attr-defined]
    one = Fleet(PROFILES)
    one.bind("a.m0", "pump")
    assert fleet.snapshot()["bounds"].tobytes() == one.snapshot()["bounds"].tobytes()


def test_orders_that_nobody_has_any_more_are_gone() -> None:
    fleet = Fleet({})
    for count in range(1, 40):
        names = {f"s{k}": np.zeros(1) for k in range(count)}
        fleet.observe([block("m", np.array([START + count * S]), names, n=count)])
    gc.collect()
    assert len(fleet._orders._known) == 1


def test_a_profile_of_another_version_brings_its_limits() -> None:
    def profile(limit: float) -> Profile:
        signals = {"x": Signal(limits=Limits(alert_high=limit))}
        return Profile(name="p", version=1, title={"en": "", "zh": ""}, signals=signals)

    old = Fleet({"p": profile(5.0)})
    old.bind("a.m", "p")
    new = Fleet.restore({"p": profile(7.0)}, old.snapshot())
    state = new.snapshot()
    assert state["bounds"]["alert_high"][state["lanes"]["bound"][0]] == 7.0


def test_what_began_is_kept_while_it_lasts() -> None:
    pump = replace(PROFILES["pump"], trigger=replace(PROFILES["pump"].trigger, n=1, m=1))
    fleet = Fleet({"pump": pump})
    fleet.bind("a.m", "pump", "data")
    signal = next(n for n, s in pump.signals.items() if s.limits.alarm_high is not None)
    high = pump.signals[signal].limits.alarm_high
    assert high is not None
    readings = [0.0] * 20 + [2 * high] * 3
    for n, value in enumerate(readings):
        fleet.observe([block("a.m", np.array([START + n * S]), {signal: np.array([value])}, n=n)])
    lane = fleet.signals("a.m")[signal]
    kept = fleet.snapshot()["since"]
    assert {row["at_ns"] for row in kept if row["lane"] == lane} == {START + 20 * S}
    assert fleet.current("a.m").conditions[0].since_ns == START + 20 * S
    for n in range(23, 60):
        fleet.observe([block("a.m", np.array([START + n * S]), {signal: np.array([0.0])}, n=n)])
    assert not any(row["lane"] == lane and row["check"] < 4 for row in fleet.snapshot()["since"])
