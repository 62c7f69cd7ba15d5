"""What the demo puts on its stage: broker, service, this computer, and gateways of a fleet."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import cloud.settings as cloud
import edge_agent.settings as edge
from edge_agent.agent import Agent, Feed
from forewarn.broker import Broker
from models.contract.messages import MachineRef
from simulators.driver import SimulatedDriver
from simulators.fleet import gateways
from simulators.scenario import Scenario

TENANT: Final = "demo"
PORT: Final = 8470
GATEWAY_MACHINES: Final = 12  #: machines behind one simulated gateway


class PortTaken(RuntimeError):
    """Somebody else listens there; the text says what to do."""


def api_socket(port: int | None) -> socket.socket:
    """Return what is bound to a port of loopback (None: the usual one, or where taken a free one).

    It is bound here, and not looked for, so that two demos at once never choose the same.
    """
    with contextlib.suppress(OSError):
        return _bound(PORT if port is None else port)
    if port is None:
        return _bound(0)
    raise PortTaken(f"port {port} is taken; choose another with --port (0: a free one)")


def _bound(port: int) -> socket.socket:
    found = socket.socket()
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        found.listen()
    except BaseException:
        found.close()
        raise
    return found


@contextlib.contextmanager
def store(folder: Path, name: str) -> Iterator[cloud.TelemetrySettings]:
    """Run what the telemetry store needs, and return its settings."""
    if name == "sqlite":
        yield cloud.TelemetrySettings()
        return
    from cloud.telemetry.influx import server, setup  # noqa: PLC0415 (an extra)

    with server.running(folder / "influxd") as influxd:
        token = folder / "influx-token"
        token.touch(0o600)
        token.write_text(influxd.token)
        settings = cloud.TelemetrySettings(
            store="influx", url=influxd.server.url, org=influxd.server.org, token_file=str(token)
        )
        buckets = setup.Buckets.of(settings.bucket)
        setup.make_buckets(influxd.server, buckets, setup.Retention())
        yield settings


def service(
    folder: Path,
    broker: Broker,
    listener: socket.socket,
    telemetry: cloud.TelemetrySettings | None = None,
) -> cloud.CloudSettings:
    """Return the settings of the service."""
    return cloud.CloudSettings(
        data=str(folder / "cloud"),
        telemetry=telemetry or cloud.TelemetrySettings(),
        broker=cloud.BrokerSettings(port=broker.port, version=_version(broker)),
        api=cloud.ApiSettings(port=listener.getsockname()[1]),
    )


def host(folder: Path, broker: Broker) -> Agent:
    """Return the agent of this computer."""
    return Agent(
        edge.Settings(
            tenant=TENANT,
            device="this-computer",
            broker=_broker(broker),
            outbox=edge.OutboxSettings(path=str(folder / "host.db")),
            machines=(edge.MachineSettings(profile="host", name=socket.gethostname()),),
            sources=(edge.SourceSettings(driver="host", options={"disk": str(folder)}),),
        )
    )


def fleet(
    folder: Path, broker: Broker, scenario: Scenario, speed: float, size: int = GATEWAY_MACHINES
) -> list[Agent]:
    """Return the agents of the simulated gateways, each with its machines."""
    return [
        gateway(
            edge.Settings(
                tenant=TENANT,
                device=f"site-{i + 1}",
                time="data",
                broker=_broker(broker),
                outbox=edge.OutboxSettings(path=str(folder / f"site-{i + 1}.db")),
            ),
            SimulatedDriver.of(part, speed),
        )
        for i, part in enumerate(gateways(scenario, size))
    ]


def gateway(settings: edge.Settings, driver: SimulatedDriver) -> Agent:
    """Return the agent of one simulated gateway."""
    machines = {key: MachineRef(profile=p, name=key) for key, p in driver.fleet.machines.items()}
    return Agent(settings, feeds=[Feed(driver=driver)], machines=machines)


def drivers(agents: Sequence[Agent]) -> Iterator[SimulatedDriver]:
    """Yield the simulated drivers among the feeds."""
    for agent in agents:
        for feed in agent.feeds:
            if isinstance(feed.driver, SimulatedDriver):
                yield feed.driver


def _broker(broker: Broker) -> edge.BrokerSettings:
    """nats-server refuses a dot in a client id."""
    version = _version(broker)
    form: Literal["identity", "underscore"] = "identity" if version == 5 else "underscore"
    return edge.BrokerSettings(port=broker.port, version=version, client_id=form)


def _version(broker: Broker) -> Literal[4, 5]:
    return 5 if broker.version == 5 else 4
