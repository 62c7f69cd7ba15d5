"""The demo's story as it goes: what the simulation knows beside what the service says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from cloud.ledger import EventRow, Key
from forewarn.board import Happening, Picture
from forewarn.fleetview import FleetView, nanoseconds
from simulators.driver import SimulatedDriver
from simulators.fleet import SimulatedFleet
from simulators.scenario import DAY_S, Scenario
from simulators.verdict import Raised, Verdict, judge

AFTER_S: Final = 1.5 * DAY_S  #: the story goes on so long after the failure
#: gives the events of the ledger behind a key, oldest first
Events = Callable[[Key | None], Sequence[EventRow]]


class Performance:
    """One run of the story: what the simulation knows, and what the service has said so far."""

    def __init__(
        self,
        story: Scenario,
        view: FleetView,
        events: Events,
        clocks: Sequence[SimulatedDriver],
    ) -> None:
        self.story = story
        self.view = view
        self._events = events
        self._drivers = clocks
        self._failure = SimulatedFleet(story).failures()[0]
        self._told: Key | None = None
        self._failed = False
        self.first_ticket: float | None = None

    @property
    def clock_s(self) -> float:
        """Simulated time that every machine has reached, s from the start."""
        return min(driver.now_s for driver in self._drivers)

    @property
    def over(self) -> bool:
        """Whether the failure came, and the service has judged what came after it."""
        fails_ns = self._ns(self._failure.fails_s)
        judged = any(
            one.machine == self._failure.machine and (one.heard_ns or 0) >= fails_ns
            for one in self.view.machines
        )
        return judged and self.clock_s >= self._failure.fails_s + AFTER_S

    def look(self) -> None:
        """Read the service once (blocks), and see whether the failure came."""
        self.view.look()
        for event in self._new_alerts():
            self.view.add(event)
        if not self._failed and self.clock_s >= self._failure.fails_s:
            self._failed = True
            self.view.add(
                Happening(
                    kind="fault",
                    at_ns=self._ns(self._failure.fails_s),
                    machine=self._failure.machine,
                    text=f"{self._failure.component} crosses its failure limit",
                )
            )

    def verdict(self) -> Verdict:
        """Judge the tickets against the truth, as far as the story has come."""
        raised = [
            Raised(
                machine=ticket["machine"].partition(":")[2] or ticket["machine"],
                mode=ticket["mode"],
                at_s=(nanoseconds(ticket["opened"]) - self.story.start_ns) / 1e9,
            )
            for ticket in self.view.tickets
        ]
        verdict = judge(self.story.expect, [self._failure], raised)
        if self._failed:
            return verdict
        early = f"the time was up before {self._failure.machine} failed"
        return replace(verdict, problems=(*verdict.problems, early))

    def picture(self) -> Picture:
        """Return what the board shows now."""
        return Picture(
            title=f"forewarn demo, seed {self.story.seed}",
            headline=self._headline(),
            address=f"{self.view.address}/api/v1/machines",
            clock_ns=self._ns(max(self.clock_s, 0.0)),
            machines=self.view.machines,
            happenings=self.view.happenings,
        )

    def _headline(self) -> str:
        failure, now = self._failure, self.clock_s
        mine = [t for t in self.view.tickets if t["machine"].endswith(f":{failure.machine}")]
        if self._failed:
            leads = self.verdict().leads
            if not leads:
                return f"{failure.machine} has failed, and nobody was warned."
            return (
                f"{failure.machine} has failed. The ticket came {leads[0].days:.1f} days before, "
                f"with {leads[0].share:.0%} of the life after onset left."
            )
        if mine:
            return (
                f"Ticket {mine[0]['number']} is open for {failure.machine}. In the simulation its "
                f"{failure.component} still works; it is going to fail."
            )
        if now >= failure.onset_s:
            return f"Something has begun in one of {len(self.view.machines)} machines."
        if any(m.state == "normal" for m in self.view.machines):
            return f"{len(self.view.machines)} machines are watched. All is well so far."
        return f"{len(self.view.machines)} machines report; the models learn what is healthy."

    def _new_alerts(self) -> list[Happening]:
        found: list[Happening] = []
        while True:
            events = self._events(self._told)
            if not events:
                return found
            for event in events:
                self._told = (event.seq,)
                if event.subject == "alert" and event.type == "sent" and event.machine:
                    found.append(
                        Happening(
                            kind="alert to customer",
                            at_ns=event.at_ns,
                            machine=event.machine.partition(":")[2] or event.machine,
                            text="the customer has been told of the ticket",
                        )
                    )

    def _ns(self, seconds: float) -> int:
        return self.story.start_ns + round(seconds * 1e9)
