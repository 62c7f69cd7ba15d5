"""`forewarn simulate`: publish a simulated fleet to a broker, as real gateways would."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

import edge_agent.settings as edge
from edge_agent.agent import Agent
from edge_agent.errors import AgentError
from edge_agent.settings import MEMORY
from forewarn.arguments import count, days, port, span, tenant, whole
from forewarn.broker import BrokerError
from forewarn.findings import reaches
from forewarn.stage import gateway
from models.counts import counted
from simulators.driver import SimulatedDriver
from simulators.fleet import SimulatedFleet, gateways
from simulators.scenario import DAY_S, Scenario, ScenarioError, load, named
from simulators.story import DAYS, draw

FAILING_SHARE: Final = 0.02


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(prog="forewarn simulate", description=__doc__)
    found.add_argument("--scenario", help="name of one of ours, or a TOML file; else --machines")
    found.add_argument("--machines", type=count, default=100, help="size of a drawn fleet "
                       "(default: %(default)s)")  # fmt: skip
    found.add_argument("--failing", type=whole, help="how many of them fail "
                       "(default: 1 in 50)")  # fmt: skip
    found.add_argument("--seed", type=whole, help="a whole number: draws the fleet and its noise "
                       "(default: the scenario's, else 0)")  # fmt: skip
    found.add_argument("--days", type=days, help=f"simulated days (default: {DAYS:.0f})")
    found.add_argument("--speed", type=span, default=DAY_S, help="simulated seconds a second; "
                       "0: as fast as they are taken (default: %(default)g, a day)")  # fmt: skip
    found.add_argument("--host", default="127.0.0.1", help="of the broker (default: %(default)s)")
    found.add_argument(
        "--port", type=port, default=1883, help="of the broker (default: %(default)s)"
    )
    found.add_argument("--mqtt", type=int, choices=(4, 5), default=5, help="4: MQTT 3.1.1, with "
                       "client ids that nats-server takes (default: %(default)s)")  # fmt: skip
    found.add_argument("--tenant", type=tenant, default="sim", help="whose the machines are, the "
                       "first part of their ids (default: %(default)s)")  # fmt: skip
    found.add_argument("--gateway-size", type=count, default=25, help="machines behind one "
                       "gateway (default: %(default)s)")  # fmt: skip
    found.add_argument("--outbox", type=Path, help="folder for durable outboxes (default: memory)")
    found.add_argument("--truth", type=Path, help="write what fails when to this JSON file")
    return found


def scenario_of(options: argparse.Namespace) -> Scenario:
    """Return the scenario that the options ask for."""
    if options.scenario is None:
        failing = options.failing
        if failing is None:
            failing = max(1, round(options.machines * FAILING_SHARE))
        return draw(options.seed or 0, options.machines, failing, options.days or DAYS)
    path = Path(options.scenario)
    found = load(path) if path.suffix == ".toml" else named(options.scenario)
    return msgspec.structs.replace(
        found,
        seed=found.seed if options.seed is None else options.seed,
        days=found.days if options.days is None else options.days,
    )


def agents(scenario: Scenario, options: argparse.Namespace) -> Iterator[Agent]:
    """Yield the agents of the fleet's gateways."""
    broker = msgspec.convert(
        {
            "host": options.host,
            "port": options.port,
            "version": options.mqtt,
            "client_id": "identity" if options.mqtt == 5 else "underscore",
        },
        edge.BrokerSettings,
    )
    for i, part in enumerate(gateways(scenario, options.gateway_size)):
        device = f"site-{i + 1}"
        path = MEMORY if options.outbox is None else str(options.outbox / f"{device}.db")
        settings = edge.Settings(
            tenant=options.tenant,
            device=device,
            time="data",
            broker=broker,
            outbox=edge.OutboxSettings(path=path),
        )
        yield gateway(settings, SimulatedDriver.of(part, options.speed))


def knock(host: str, port: int) -> None:
    """Raise `BrokerError` where nothing listens: agents would wait for a broker for ever."""
    failed = reaches(host, port)
    if failed:
        raise BrokerError(
            f"no broker answers at {host}:{port} ({failed}): start one, or give --host and --port"
        )


async def publish(fleet: list[Agent]) -> None:
    """Run until everything was sent and received, or a signal comes."""

    def stop() -> None:
        for agent in fleet:
            agent.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await asyncio.gather(*(agent.run(until_sent=True) for agent in fleet))


def tell_truth(scenario: Scenario, path: Path | None) -> None:
    """Print what fails when; with a path also write it there."""
    failures = SimulatedFleet(scenario).failures()
    for one in failures:
        print(
            f"{one.machine}: {one.component} begins to fail on day {one.onset_s / DAY_S:.2f}, "
            f"crosses its limit on day {one.fails_s / DAY_S:.2f}",
            flush=True,
        )
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(failures), indent=2))


def main(arguments: list[str]) -> int:
    """Publish; status 0 when the service has everything or a signal ended it."""
    command = parser()
    options = command.parse_args(arguments)
    if options.scenario is None and (options.failing or 0) > options.machines:
        command.error(f"argument --failing: at most {options.machines}, all --machines")
    try:
        scenario = scenario_of(options)
        knock(options.host, options.port)
        if options.outbox is not None:
            options.outbox.mkdir(parents=True, exist_ok=True)
        fleet = list(agents(scenario, options))
        machines = sum(len(entry.names()) for entry in scenario.machines)
        print(
            f"{counted(machines, 'machine')} behind {counted(len(fleet), 'gateway')}, "
            f"days: {scenario.days:g}",
            flush=True,
        )
        tell_truth(scenario, options.truth)
        asyncio.run(publish(fleet))
    except (BrokerError, ScenarioError, AgentError, OSError, ValueError) as error:
        print(f"forewarn simulate: {error}", file=sys.stderr)
        return 1
    return 0
