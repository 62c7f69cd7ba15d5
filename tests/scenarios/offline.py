"""Runs a scenario through fleet core and triage without broker, service or clock."""

from collections.abc import Iterator

import msgspec

from cloud.advisories.triage import triage
from cloud.advisories.values import STANDING, Outcome, Stamp, Standing
from cloud.ledger.records import TicketRow
from cloud.tickets.draft import draft, follow
from models.assessment import Assessment
from models.fleet import Fleet
from models.profile import Profile, load_profiles
from simulators.fleet import SimulatedFleet, blocks
from simulators.scenario import Scenario
from simulators.verdict import Raised, Verdict, judge

DEVICE = "test.gateway"
replace = msgspec.structs.replace


class Inbox:
    """Advisories of a fleet as the ledger would keep them, in memory."""

    def __init__(self) -> None:
        self.standing: dict[str, list[Standing]] = {}
        self.opened: list[Standing] = []
        self.tickets: list[Standing] = []
        self.windows: dict[str, list[int]] = {}  #: ends of each ticket's window, as they moved
        self._next = 0

    def _id(self) -> str:
        self._next += 1
        return f"{self._next:08d}"

    def file(self, assessment: Assessment, profile: Profile) -> None:
        """Judge one assessment."""
        stamp = Stamp(new_id=self._id, recorded_ns=0)
        known = self.standing.setdefault(assessment.machine, [])
        for outcome in triage(tuple(known), profile, assessment, stamp):
            one = replace(outcome.standing, ticket=self._ticket(outcome, assessment.at_ns))
            kept = [s for s in known if s.advisory.id != one.advisory.id]
            known[:] = kept + ([one] if one.advisory.state in STANDING else [])
            if outcome.new:
                self.opened.append(one)
            if outcome.order == "open":
                self.tickets.append(one)

    def _ticket(self, outcome: Outcome, at_ns: int) -> TicketRow | None:
        advisory, ticket = outcome.standing.advisory, outcome.standing.ticket
        if outcome.order == "open":
            ticket = draft(advisory, ticket_id=advisory.id, number=1, at_ns=at_ns, recorded_ns=0)
        elif outcome.order in {"follow", "raise"} and ticket is not None:
            ticket = follow(ticket, advisory)
        if ticket is not None:
            ends = self.windows.setdefault(ticket.id, [])
            if ends[-1:] != [ticket.due_latest_ns]:
                ends.append(ticket.due_latest_ns)
        return ticket


def play(scenario: Scenario, piece: int = 24) -> Inbox:
    """Return what a whole scenario raises."""
    profiles = load_profiles()
    simulated = SimulatedFleet(scenario)
    fleet, inbox = Fleet(profiles), Inbox()
    types = {f"{DEVICE}:{key}": profile for key, profile in simulated.machines.items()}
    for machine, profile in types.items():
        fleet.bind(machine, profile, "data")
    for group in blocks(simulated, scenario.rows, DEVICE, piece):
        for assessment in fleet.observe(group):
            inbox.file(assessment, profiles[types[assessment.machine]])
    return inbox


def raised(scenario: Scenario, found: list[Standing]) -> Iterator[Raised]:
    """Yield advisories as the judge takes them."""
    for one in found:
        yield Raised(
            machine=one.advisory.machine.partition(":")[2],
            mode=one.advisory.mode,
            at_s=(one.advisory.opened_ns - scenario.start_ns) / 1e9,
        )


def verdict(scenario: Scenario, inbox: Inbox) -> Verdict:
    """Judge the tickets of a scenario."""
    failures = SimulatedFleet(scenario).failures()
    return judge(scenario.expect, failures, list(raised(scenario, inbox.tickets)))
