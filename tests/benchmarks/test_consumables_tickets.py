"""Tickets of simulated consumables: what is said of them, and who is judged how."""

import numpy as np
import pytest

from benchmarks.evaluation import consumables_tickets as tickets
from benchmarks.evaluation.consumables_units import DAY_S, PROFILES, START_NS
from models.assessment import Assessment, Life, State

DAY_NS = int(DAY_S) * 10**9


def assessment(day: float, p10_d: float) -> Assessment:
    life = Life(
        component="bearing",
        mode="bearing-wear",
        basis="wear",
        fraction=0.1,
        p10_s=p10_d * DAY_S,
        p50_s=(p10_d + 2.0) * DAY_S,
        p90_s=(p10_d + 4.0) * DAY_S,
    )
    return Assessment(
        machine="unit",
        at_ns=START_NS + int(day * DAY_NS),
        n=int(day),
        state=State.NORMAL,
        score=0.0,
        health=100.0,
        coverage=1.0,
        lives=(life,),
    )


def followed(bands: list[tuple[float, float]], end_d: float) -> tickets.Followed:
    made = tickets.Tickets(PROFILES["centrifugal-pump"], "bearing")
    made.take([assessment(*one) for one in bands])
    return made.judged(START_NS + int(end_d * DAY_NS), np.nan, np.nan)


def test_a_ticket_is_due_when_the_band_comes_to_the_planned_lead() -> None:
    found = followed([(0, 100.0), (50, 50.0), (92, 8.9), (98, 3.0)], 101.0)
    assert (found.opened, found.due) == pytest.approx((9.0, 9.0))
    repair_d = PROFILES["centrifugal-pump"].failure_modes["bearing-wear"].duration_h / 24.0
    assert found.spare == pytest.approx(101.0 - 92.0 - 8.9 + repair_d)
    assert found.moved_due == found.moved_opened == 0.0
    assert not found.blind


def test_a_window_that_moves_and_one_that_closes_after_the_end() -> None:
    found = followed([(0, 8.0), (1, 20.0)], 7.0)
    assert found.spare < 0.0
    assert found.moved_due == pytest.approx(13.0)


def test_a_part_that_fails_unannounced_has_no_ticket() -> None:
    found = followed([(0, 100.0), (50, 80.0)], 60.0)
    assert np.isnan([found.opened, found.due, found.spare]).all()


def test_a_peer_must_say_it_on_days_in_a_row() -> None:
    said = np.array([9.0, 5.0, 9.0, 5.0, np.nan, 5.0, 4.0, 3.0])
    assert tickets._when(said, np.arange(20.0, 0.0, -1.0), 6.0) == 13.0
    assert np.isnan(tickets._when(said[:7], np.arange(20.0, 0.0, -1.0), 6.0))


@pytest.mark.parametrize("fault", [False, True])
def test_units_are_followed_to_their_end(fault: bool) -> None:
    first = next(tickets.follow("office-printer", "toner", 1, fault=fault, seed=3))
    assert 2.0 < first.due < 20.0
    assert first.opened >= first.due
    lines = tickets.text(["| a |\n| b |"], ["| c |\n| d |"])
    assert [line for line in lines if len(line) == 5] == ["| a |", "| c |", "| b |", "| d |"]
