"""The demo's story as it goes: what the simulation knows beside what the service says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cloud.ledger import EventRow, Key
from forewarn.board import Happening, Picture
from forewarn.fleetview import FleetView, nanoseconds
from simulators.driver import SimulatedDriver
from simulators.fleet import Failure, SimulatedFleet
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
        repaired: Mapping[tuple[str, str], Sequence[float]],
    ) -> None:
        """Take `repaired`: (machine, component) -> when renewed, s; it fills as time goes."""
        self.story = story
        self.view = view
        self._events = events
        self._drivers = clocks
        self._drawn = SimulatedFleet(story).failures()[0]
        self._driver = next(one for one in clocks if self._drawn.machine in one.fleet.machines)
        self._truth = story, self._comes(story)
        self._repaired = repaired
        self._told: Key | None = None
        self._past = False  #: the moment of the failure has come
        self._mended = False  #: and there is none, which was told
        self.first_ticket: float | None = None

    @property
    def clock_s(self) -> float:
        """Simulated time that every machine has reached, s from the start."""
        return min(driver.now_s for driver in self._drivers)

    def _comes(self, simulated: Scenario) -> Failure | None:
        """Return the failure of the story as it comes in what is simulated, None: it does not."""
        key, ends_s = (self._drawn.machine, self._drawn.component), self.story.days * DAY_S
        found = SimulatedFleet(simulated).failures()
        mine = (f for f in found if (f.machine, f.component) == key)
        return next((f for f in mine if f.fails_s + AFTER_S <= ends_s), None)

    @property
    def _coming(self) -> Failure | None:
        """The failure that comes after all that was repaired so far; None: it was prevented."""
        simulated = self._driver.fleet.scenario
        if simulated is not self._truth[0]:
            self._truth = simulated, self._comes(simulated)
        return self._truth[1]

    @property
    def _failure(self) -> Failure:
        """The failure that comes, or the one that would have come."""
        return self._coming or self._drawn

    @property
    def _repaired_s(self) -> float | None:
        """When the failing part was renewed, if that prevented its failure."""
        if self._coming is not None:
            return None
        renewed = self._repaired.get((self._drawn.machine, self._drawn.component), ())
        return next((at_s for at_s in renewed if at_s > self._drawn.onset_s), None)

    @property
    def over(self) -> bool:
        """Whether the moment of the failure came, and the service has judged what came after it."""
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
        failure, repaired_s = self._failure, self._repaired_s
        if repaired_s is not None and not self._mended:
            self._mended = True
            self._happened("repair", repaired_s, f"{failure.component} renewed")
        if not self._past and self.clock_s >= failure.fails_s:
            self._past = True
            if repaired_s is None:
                words = f"{failure.component} crosses its failure limit"
                self._happened("fault", failure.fails_s, words)

    def _happened(self, kind: str, at_s: float, text: str) -> None:
        machine = self._failure.machine
        self.view.add(Happening(kind=kind, at_ns=self._ns(at_s), machine=machine, text=text))

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
        repaired_s = self._repaired_s
        repaired = {} if repaired_s is None else {self._failure.machine: repaired_s}
        verdict = judge(self.story.expect, [self._failure], raised, repaired)
        if self._past or repaired:
            return verdict
        early = f"the time was up before {self._failure.machine} failed"
        return replace(verdict, problems=(*verdict.problems, early))

    def picture(self) -> Picture:
        """Return what the board shows now."""
        return Picture(
            title=f"forewarn demo, seed {self.story.seed}",
            headline=self._headline(),
            address=self.view.address,
            clock_ns=self._ns(max(self.clock_s, 0.0)),
            machines=self.view.machines,
            happenings=self.view.happenings,
        )

    def _headline(self) -> str:
        failure, now = self._failure, self.clock_s
        mine = [t for t in self.view.tickets if t["machine"].endswith(f":{failure.machine}")]
        if self._past or self._repaired_s is not None:
            return self._ending()
        if mine:
            return (
                f"Ticket {mine[0]['number']} is open for {failure.machine}. In the simulation "
                f"nothing has failed yet; {failure.component} will."
            )
        if now >= failure.onset_s:
            return f"Something has begun in one of {len(self.view.machines)} machines."
        if any(m.state == "normal" for m in self.view.machines):
            return f"{len(self.view.machines)} machines are watched. All is well so far."
        return f"{len(self.view.machines)} machines report; the models learn what is healthy."

    def _ending(self) -> str:
        failure, at_s, leads = self._failure, self._repaired_s, self.verdict().leads
        if at_s is not None:
            return (
                f"{failure.machine} was repaired, {(failure.fails_s - at_s) / DAY_S:.1f} days "
                f"before its {failure.component} would have failed."
            )
        if not leads:
            return f"{failure.machine} has failed, and nobody was warned."
        return (
            f"{failure.machine} has failed. The ticket came {leads[0].days:.1f} days before, "
            f"with {leads[0].share:.0%} of the life after onset left."
        )

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
