"""`forewarn demo`: broker, service, this computer and a failing fleet, on one screen.

A seed draws which machine of the simulated fleet fails, when it begins to and how fast. The service
does not know; the demo does, and tells how long before the failure the ticket came.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from cloud.app import App, build
from cloud.errors import CloudError
from cloud.ledger import EventRow, Key
from cloud.settings import CloudSettings
from edge_agent.agent import Agent
from edge_agent.errors import AgentError
from forewarn import stage, warming
from forewarn.arguments import count, days, port, span, whole
from forewarn.board import Picture, Telling, picture_of, render
from forewarn.broker import Broker, BrokerError, embedded
from forewarn.client import Client, ServiceError
from forewarn.fleetview import FleetView
from forewarn.performance import AFTER_S, Performance
from forewarn.workshop import Visits, Workshop
from simulators.fleet import Failure, SimulatedFleet
from simulators.scenario import DAY_S, Scenario
from simulators.story import draw

SPEED: Final = DAY_S  #: simulated seconds a second, when there is time enough
TOP_SPEED: Final = 4 * DAY_S
START_S: Final = 8.0  #: of the given seconds kept for starting and for the last look
LOOK_S: Final = 0.5
INTERRUPTED: Final = 130
FIXED_LINES: Final = 22  #: of the board, beside the machines


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


def pace(failure: Failure, seconds: float, speed: float | None = None) -> float:
    """Return simulated seconds a second: `speed` days, else 1, or more to fit into `seconds`."""
    if speed is not None:
        return speed * DAY_S
    if seconds <= 0:
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
    story: Scenario,
    options: argparse.Namespace,
    folder: Path,
    *,
    service: CloudSettings,
    listener: socket.socket,
    broker: Broker,
    screen: Screen,
) -> Performance | None:
    """Run the story until it is over, the time is up, or a signal comes (then None)."""
    stop, clock = _signalled(), asyncio.get_running_loop().time
    app = await asyncio.to_thread(build, service, demo=True, listener=listener)
    begun = clock()
    speed = pace(SimulatedFleet(story).failures()[0], options.seconds, options.speed)
    agents = [stage.host(folder, broker), *stage.fleet(folder, broker, story, speed)]
    show = _show(story, app, agents)
    ends = begun + options.seconds if options.seconds else float("inf")
    async with app.running(), running(agents) as tasks:
        while not stop.is_set() and not show.over and clock() < ends:
            if tasks.done():
                tasks.result()
            if app.service.failure is not None:
                raise CloudError(f"the service stopped: {app.service.failure}")
            await asyncio.to_thread(show.look)
            if show.first_ticket is None and show.view.tickets:
                show.first_ticket = clock() - begun
            screen.show(show.picture())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(LOOK_S, max(ends - clock(), 0.0)))
        await asyncio.to_thread(show.look)
        screen.show(show.picture())
    return None if stop.is_set() else show


def _signalled() -> asyncio.Event:
    """Return what is set when somebody wants the demo to end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _show(story: Scenario, app: App, agents: list[Agent]) -> Performance:
    """Return what follows the story; who resolves a ticket on the pages mends the machine."""
    drivers = list(stage.drivers(agents))
    workshop = Workshop(app.ledger, app.live, drivers)
    app.api.add_middleware(Visits, workshop=workshop)
    view = FleetView(Client(f"http://127.0.0.1:{app.settings.api.port}"), app.profiles)

    def events(after: Key | None) -> Sequence[EventRow]:
        return app.ledger.events(after=after)[0]

    return Performance(story, view, events, drivers, workshop.repaired)


def conclude(show: Performance | None, console: Console) -> int:
    """Say how it went, and return the exit status."""
    if show is None:
        console.print("Stopped. Nothing is left behind.")
        return INTERRUPTED
    verdict = show.verdict()
    if show.first_ticket is not None:
        console.print(f"First ticket {show.first_ticket:.0f} s after the start.")
    for lead in verdict.leads:
        end = f"failure on day {lead.fails_s / DAY_S:.2f}"
        if lead.repaired_s is not None:
            end = f"repaired on day {lead.repaired_s / DAY_S:.2f}, before the {end}"
        console.print(
            f"{lead.mode} of {lead.machine}: ticket on day {lead.ticket_s / DAY_S:.2f}, {end}; "
            f"lead time {lead.days:.2f} days of simulated time, "
            f"{lead.share:.0%} of the life after onset.",
            soft_wrap=True,
        )
    for problem in verdict.problems:
        console.print(f"Not as it should be: {problem}.", soft_wrap=True)
    return int(not verdict.right)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="forewarn demo", description=__doc__)
    parser.add_argument("--seconds", type=span, default=0.0, help="stop after so many; 0: when "
                        "the story has ended (default: %(default)g)")  # fmt: skip
    parser.add_argument("--seed", type=whole, default=7, help="a whole number: draws machine, "
                        "onset and rate (default: %(default)s)")  # fmt: skip
    parser.add_argument(
        "--speed", type=days, help="simulated days a second (default: 1, more if SECONDS is short)"
    )
    parser.add_argument("--machines", type=count, default=24, help="size of the simulated fleet "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--port", type=port, help="of the pages and the API; 0: a free one "
                        "(default: 8470, or a free one where that is taken)")  # fmt: skip
    parser.add_argument("--picture", type=Path, help="write the last board to this SVG file")
    parser.add_argument("--broker", choices=("mosquitto", "nats-server"),
                        help="which one (default: mosquitto, else nats-server)")  # fmt: skip
    parser.add_argument(
        "--store",
        choices=("sqlite", "influx"),
        default="sqlite",
        help="where readings are kept: a "
        "file, or an influxd that the demo starts (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def _play(options: argparse.Namespace, console: Console, listener: socket.socket) -> int:
    """Run the demo in a folder of its own, and return the exit status."""
    story = draw(options.seed, options.machines)
    console.print("Getting ready …")
    warming.ready(options.store, lambda line: console.print(line, markup=False, highlight=False))
    with tempfile.TemporaryDirectory(prefix="forewarn-demo-") as name:
        folder = Path(name)
        logging.basicConfig(filename=folder / "demo.log", level=logging.INFO)
        with embedded(folder / "broker", prefer=options.broker) as broker:
            with stage.store(folder, options.store) as telemetry, Screen(console) as screen:
                show = asyncio.run(
                    perform(
                        story,
                        options,
                        folder,
                        service=stage.service(folder, broker, listener, telemetry),
                        listener=listener,
                        broker=broker,
                        screen=screen,
                    )
                )
            logging.shutdown()
    if show is not None and options.picture is not None:
        options.picture.write_text(picture_of(show.picture()), "utf-8")
    return conclude(show, console)


def main(arguments: list[str]) -> int:
    """Run the demo; status 0: the right ticket came in time and no false one."""
    options = _options(arguments)
    picture: Path | None = options.picture
    if picture is not None and not picture.absolute().parent.is_dir():
        print(f"forewarn demo: no folder for --picture {picture}", file=sys.stderr)
        return 2
    try:
        with stage.api_socket(options.port) as listener:
            return _play(options, Console(), listener)
    except (
        BrokerError,
        CloudError,
        AgentError,
        ServiceError,
        stage.PortTaken,
        ValueError,
    ) as error:
        print(f"forewarn demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
