"""`forewarn demo`: broker, service, this computer and a failing fleet, on one screen.

A seed draws which machine of the simulated fleet fails, when it begins to and how fast. The service
does not know; the demo does, and tells how long before the failure the ticket came.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from cloud.app import App, build
from cloud.errors import CloudError
from edge_agent.agent import Agent
from edge_agent.errors import AgentError
from forewarn import stage
from forewarn.board import Happening, Picture, Telling, render
from forewarn.broker import Broker, BrokerError, embedded
from forewarn.client import Client, ServiceError
from forewarn.fleetview import FleetView, nanoseconds
from simulators.fleet import Failure, SimulatedFleet
from simulators.scenario import DAY_S, Scenario
from simulators.story import draw
from simulators.verdict import Raised, Verdict, judge

SPEED: Final = DAY_S  #: simulated seconds a second, when there is time enough
TOP_SPEED: Final = 4 * DAY_S
START_S: Final = 8.0  #: of the given seconds kept for starting and for the last look
AFTER_S: Final = 1.5 * DAY_S  #: the story goes on so long after the failure
LOOK_S: Final = 0.5
INTERRUPTED: Final = 130
FIXED_LINES: Final = 22  #: of the board, beside the machines


class Performance:
    """One run of the story: what the simulation knows, and what the service has said so far."""

    def __init__(self, story: Scenario, view: FleetView, app: App, agents: list[Agent]) -> None:
        self.story = story
        self.view = view
        self.address = f"http://127.0.0.1:{app.settings.api.port}/api/v1/machines"
        self._app = app
        self._drivers = list(stage.drivers(agents))
        self._failure: Failure = SimulatedFleet(story).failures()[0]
        self._told: tuple[int | str, ...] | None = None
        self._failed = False
        self.first_ticket: float | None = None

    @property
    def clock_s(self) -> float:
        """Simulated time that every machine has reached, s from the start."""
        return min(driver.now_s for driver in self._drivers)

    @property
    def over(self) -> bool:
        """Whether the failure came, and the service has judged what came after it."""
        heard = max((m.heard_ns or 0 for m in self.view.machines if self._is_failing(m.machine)),
                    default=0)  # fmt: skip
        return self.clock_s >= self._failure.fails_s + AFTER_S and heard >= self._ns(
            self._failure.fails_s
        )

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
            address=self.address,
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
            events, _ = self._app.ledger.events(after=self._told, limit=100)
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

    def _is_failing(self, machine: str) -> bool:
        return machine == self._failure.machine


class Screen:
    """The board on a terminal, or lines where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._telling = Telling()
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, picture: Picture) -> None:
        """Show what is known now."""
        if self._live:
            rows = max(3, self._console.height - FIXED_LINES)
            self._live.update(render(picture, rows), refresh=True)
            return
        for line in self._telling.lines(picture):
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def pace(failure: Failure, seconds: float) -> float:
    """Return simulated seconds a second: a day, or faster so that the story fits in `seconds`."""
    if not seconds:
        return SPEED
    room = max(seconds - START_S, 1.0)
    return min(max(SPEED, (failure.fails_s + AFTER_S) / room), TOP_SPEED)


@contextlib.asynccontextmanager
async def running(agents: list[Agent]) -> AsyncIterator["asyncio.Future[list[None]]"]:
    """Run agents; at the end stop them and wait until what they read is durable."""
    tasks = asyncio.gather(*(agent.run() for agent in agents))
    try:
        yield tasks
    finally:
        for agent in agents:
            agent.stop()
        await tasks


async def perform(
    story: Scenario, seconds: float, folder: Path, broker: Broker, screen: Screen
) -> Performance | None:
    """Run the story until it is over, the time is up, or a signal comes (then None)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    ends = loop.time() + seconds if seconds else float("inf")
    begun = loop.time()
    failure = SimulatedFleet(story).failures()[0]
    app = await asyncio.to_thread(build, stage.service(folder, broker))
    agents = [
        stage.host(folder, broker),
        *stage.fleet(folder, broker, story, pace(failure, seconds)),
    ]
    view = FleetView(Client(f"http://127.0.0.1:{app.settings.api.port}"), app.profiles)
    show = Performance(story, view, app, agents)
    async with app.running(), running(agents) as tasks:
        while not stop.is_set() and not show.over and loop.time() < ends:
            if tasks.done():
                tasks.result()
            await asyncio.to_thread(show.look)
            if show.first_ticket is None and view.tickets:
                show.first_ticket = loop.time() - begun
            screen.show(show.picture())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(LOOK_S, max(ends - loop.time(), 0.0)))
        await asyncio.to_thread(show.look)
        screen.show(show.picture())
    return None if stop.is_set() else show


def conclude(show: Performance | None, console: Console) -> int:
    """Say how it went, and return the exit status."""
    if show is None:
        console.print("Stopped. Nothing is left behind.")
        return INTERRUPTED
    verdict = show.verdict()
    if show.first_ticket is not None:
        console.print(f"First ticket {show.first_ticket:.0f} s after the start.")
    for lead in verdict.leads:
        console.print(
            f"{lead.mode} of {lead.machine}: ticket on day {lead.ticket_s / DAY_S:.2f}, failure on "
            f"day {lead.fails_s / DAY_S:.2f}; lead time {lead.days:.2f} days of simulated time, "
            f"{lead.share:.0%} of the life after onset.",
            soft_wrap=True,
        )
    for problem in verdict.problems:
        console.print(f"Not as it should be: {problem}.", soft_wrap=True)
    return int(not verdict.right)


def main(arguments: list[str]) -> int:
    """Run the demo; status 0: the right ticket came in time and no false one."""
    parser = argparse.ArgumentParser(prog="forewarn demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so many; 0: when "
                        "the story has ended")  # fmt: skip
    parser.add_argument("--seed", type=int, default=7, help="draws machine, onset and rate")
    parser.add_argument("--machines", type=int, default=24, help="size of the simulated fleet")
    parser.add_argument("--broker", choices=("mosquitto", "nats-server"), help="which broker")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        story = draw(options.seed, options.machines)
        with tempfile.TemporaryDirectory(prefix="forewarn-demo-") as name:
            folder = Path(name)
            logging.basicConfig(filename=folder / "demo.log", level=logging.INFO)
            with embedded(folder / "broker", prefer=options.broker) as broker:
                with Screen(console) as screen:
                    show = asyncio.run(perform(story, options.seconds, folder, broker, screen))
                logging.shutdown()
    except (BrokerError, CloudError, AgentError, ServiceError, ValueError) as error:
        print(f"forewarn demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return conclude(show, console)
