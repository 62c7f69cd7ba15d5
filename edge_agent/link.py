"""The MQTT connection of the device (aiomqtt; no other module names it).

Each connection has a new, clean client: a library that sends again by itself could overtake the
outbox, which alone does. A last will says when the device is gone.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.commands import Executor
from edge_agent.errors import SettingsError, first
from edge_agent.sender import Sender
from edge_agent.settings import BrokerSettings
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import Command, Receipt, State

KEEPALIVE_S: Final = 30
WILL_DELAY_S: Final = 30  #: MQTT 5: a short blip is not an absence
PUBACK_S: Final = 20.0  #: a broker that is silent for longer is gone
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 300.0
STEADY_S: Final = 30.0  #: a connection of this length was not a failure
GOODBYE_S: Final = 2.0
log = logging.getLogger(__name__)


def chance() -> float:
    """Return a number from 0 to 1: reconnecting devices must not come all at once."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class _Connection:
    """One connection: a `Wire` for the sender."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await self._client.publish(topic, payload, qos=1, retain=retain, timeout=PUBACK_S)


class Link:
    """Keeps one device connected. `async with link:` connects in the background until the end.

    `error` says why there is no connection; None while there is one.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        sender: Sender,
        *,
        client_id: str,
        boot: str,
        executor: Executor | None = None,
        jitter: Callable[[], float] = chance,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self.connected = asyncio.Event()
        self.error: str | None = "not connected yet"
        self._settings = settings
        self._sender = sender
        self._client_id = client_id
        self._boot = boot
        self._executor = executor
        self._jitter = jitter
        self._first_wait_s = first_wait_s
        self._leaving = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name=f"link {self._client_id}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye where there is a connection, and end."""
        assert self._task is not None
        self._leaving.set()
        done, _ = await asyncio.wait([self._task], timeout=GOODBYE_S)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._task.cancelled() and (failed := self._task.exception()) is not None:
            raise failed

    async def run(self) -> None:
        """Connect, again and again with growing random waits, until leaving."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._leaving.is_set():
            began = loop.time()
            try:
                async with self._client() as client:
                    await self._session(client)
            except* (aiomqtt.MqttError, OSError) as group:
                self.error = f"{self._settings.host}:{self._settings.port}: {first(group)}"
            except* SettingsError as group:
                self.error = str(first(group))
            except* Exception as group:
                # Reading and storing go on; a fresh connection is the only thing to try.
                log.exception("sending failed")
                self.error = f"{first(group)!r}"
            finally:
                self.connected.clear()
            if self._leaving.is_set():
                return
            if loop.time() - began >= STEADY_S:
                failures = 0
            wait_s = self._jitter() * min(self._first_wait_s * 2**failures, LONGEST_WAIT_S)
            failures = min(failures + 1, 16)
            log.warning("no connection: %s; trying again in %.1f s", self.error, wait_s)
            await _either(self._leaving, wait_s)

    async def _session(self, client: aiomqtt.Client) -> None:
        identity = self._sender.identity
        connection = _Connection(client)
        await client.subscribe(topics.down(identity, "ack"), qos=1)
        if self._executor is not None:
            await client.subscribe(f"{topics.down(identity, 'cmd')}/+/+", qos=1)
        state = topics.up(identity, "state")
        await connection.publish(state, self._state(online=True), retain=True)
        self.error = None
        self.connected.set()
        log.info("connected to %s:%d", self._settings.host, self._settings.port)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._sender.run(connection)),
                group.create_task(self._receive(client)),
            ]
            if self._executor is not None:
                tasks.append(group.create_task(self._executor.run(connection)))
            await self._leaving_or_over(tasks)
            for task in tasks:
                task.cancel()
        await connection.publish(state, self._state(online=False), retain=True)

    async def _leaving_or_over(self, tasks: list[asyncio.Task[None]]) -> None:
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait([leaving, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            try:
                topic = topics.parse(str(message.topic))
                found = codec.decode(topic, payload if isinstance(payload, bytes) else b"")
            except ContractError as error:
                log.warning("a message on %s cannot be read: %s", message.topic, error)
                continue
            if isinstance(found, Receipt):
                await self._sender.receipt(found)
            elif isinstance(found, Command) and self._executor is not None:
                await self._executor.take(topic, found)

    def _state(self, *, online: bool) -> bytes:
        return codec.encode(State(online=online, boot=self._boot), "json")

    def _client(self) -> aiomqtt.Client:
        settings = self._settings
        five = settings.version == 5
        will_properties = None
        if five:
            will_properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            will_properties.WillDelayInterval = WILL_DELAY_S
        client = aiomqtt.Client(
            settings.host,
            settings.port,
            identifier=self._client_id,
            username=settings.username,
            password=settings.password(),
            protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
            clean_session=None if five else True,
            clean_start=True if five else MQTT_CLEAN_START_FIRST_ONLY,
            keepalive=KEEPALIVE_S,
            tls_context=settings.tls(),
            will=aiomqtt.Will(
                topics.up(self._sender.identity, "state"),
                self._state(online=False),
                qos=1,
                retain=True,
                properties=will_properties,
            ),
        )
        client.pending_calls_threshold = 64
        return client


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
