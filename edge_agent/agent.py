"""Puts the device together: drivers → sampler → outbox → link."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Final, cast

import msgspec

from edge_agent import clock
from edge_agent.command_file import CommandFile
from edge_agent.commands import Executor
from edge_agent.diagnostics import Diagnostics, Latest
from edge_agent.drivers import Driver, Options, Reading, find, names_signal
from edge_agent.errors import DriverError, OutboxError, OutboxGone
from edge_agent.loglines import LogLines
from edge_agent.outbox import Outbox
from edge_agent.publisher import Publisher
from edge_agent.sampler import Sampler
from edge_agent.settings import Settings, SignalSettings, SourceSettings
from edge_agent.signature import checker
from models.contract.errors import ContractError
from models.contract.messages import Batch, MachineRef, Metric
from models.contract.wire import MetricWire
from models.counts import counted

TEND_S: Final = 5.0  #: between two looks at the disk
RETRY_S: Final = 1.0  #: after an outbox write that failed
DRIVER_WAIT_S: Final = 5.0
LONGEST_DRIVER_WAIT_S: Final = 300.0
MAX_SIGNALS: Final = 4096
log = logging.getLogger(__name__)


class Feed(msgspec.Struct, kw_only=True):
    """A driver and where its readings go: which machine's columns, which stream."""

    driver: Driver
    machine: str = ""
    stream: str = "live"
    signals: Sequence[SignalSettings] = ()
    interval_s: float = 1.0

    @property
    def prefix(self) -> str:
        """What stands before each signal's name in the columns."""
        return f"{self.machine}/" if self.machine else ""

    def metrics(self) -> list[Metric]:
        """Return what the driver knows of its signals, with what the settings say instead."""
        said = {signal.name: signal for signal in self.signals}
        known = {metric.name: metric for metric in self.driver.signals()}
        found = []
        for name in dict.fromkeys([*known, *said]):
            metric = known.get(name) or Metric(name=name)
            if signal := said.get(name):
                metric = msgspec.structs.replace(
                    metric,
                    unit=signal.unit or metric.unit,
                    kind=signal.kind,
                    low=metric.low if signal.low is None else signal.low,
                    high=metric.high if signal.high is None else signal.high,
                )
            found.append(msgspec.structs.replace(metric, name=self.prefix + name))
        return found


class Awaited:
    """A source that could not be opened at the start: tried again as one that fails later."""

    Options: ClassVar[type[Options]] = Options

    def __init__(self, source: SourceSettings, error: DriverError) -> None:
        self.error = error
        self.patient = find(source.driver).patient
        self._source = source
        self._driver: Driver | None = None

    def signals(self) -> Sequence[Metric]:
        """Return what the driver knows once there is one."""
        return self._driver.signals() if self._driver else ()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield the driver's readings; `DriverError` while it cannot be opened."""
        if self._driver is None:
            self._driver = _driver(self._source)
        async with contextlib.aclosing(self._driver.readings()) as readings:
            async for reading in readings:
                yield reading


def _driver(source: SourceSettings) -> Driver:
    kind = find(source.driver)
    options = msgspec.convert(source.options, kind.Options)
    driver: Driver = kind(options, interval_s=source.interval_s)
    if source.model is None:
        return driver
    from edge_agent.scored import scored  # noqa: PLC0415  # only where a model is told of

    return scored(driver, source.model)


def feed_of(source: SourceSettings, driver: Driver | None = None) -> Feed:
    """Return the feed that the settings describe; `DriverError` says what its driver lacks."""
    return Feed(
        driver=driver or _driver(source),
        machine=source.machine,
        stream=source.stream,
        signals=source.signals,
        interval_s=source.interval_s,
    )


def _feeds(sources: Sequence[SourceSettings]) -> list[Feed]:
    """Return the feeds of all sources; `DriverError` where not one can be opened."""
    found = []
    for source in sources:
        try:
            found.append(feed_of(source))
        except DriverError as error:
            awaited = cast(Driver, Awaited(source, error))  # `patient` is that of the source
            found.append(feed_of(source, awaited))
    missing = [feed.driver for feed in found if isinstance(feed.driver, Awaited)]
    if missing and len(missing) == len(found):
        raise missing[0].error
    return found


def _sayable(metric: Metric) -> bool:
    """Whether a birth can carry what is known of a signal: no service reads one that cannot."""
    try:
        msgspec.convert({"name": metric.name, "unit": metric.unit}, MetricWire)
    except msgspec.ValidationError as error:
        log.error("signal %.40r is not announced: %s", metric.name, error)
        return False
    return True


def _metrics(feeds: Sequence[Feed]) -> dict[str, Metric]:
    return {m.name: m for feed in feeds for m in feed.metrics() if _sayable(m)}


class Agent:
    """One device. Several may run in one process, with `feeds` of one's own (simulators)."""

    def __init__(
        self,
        settings: Settings,
        *,
        feeds: Sequence[Feed] | None = None,
        machines: Mapping[str, MachineRef] | None = None,
        boot: str | None = None,
        outbox: type[Outbox] = Outbox,
        lines: LogLines | None = None,
    ) -> None:
        self.settings = settings
        self.latest = Latest()
        self._executor = self._commands(lines or LogLines()) if settings.commands.accept else None
        self.feeds = _feeds(settings.sources) if feeds is None else list(feeds)
        self.publisher = Publisher(
            settings,
            boot=boot,
            machines=machines,
            outbox=outbox,
            executor=self._executor,
        )
        self.started = asyncio.Event()
        self._stop = asyncio.Event()
        self._most = MAX_SIGNALS
        self._metrics = _metrics(self.feeds)
        self._declaring = asyncio.Lock()
        self._keeping: set[asyncio.Task[None]] = set()

    @property
    def columns(self) -> set[str]:
        """The names of all signals, with the machine's key before them."""
        return set(self._metrics)

    def stop(self) -> None:
        """Let `run` end: what was read becomes durable, then the link says goodbye."""
        self._stop.set()

    async def run(self, *, until_sent: bool = False) -> None:
        """Run until `stop`; with `until_sent` also end when every source has ended and been sent.

        What has no receipt at the end stays in the outbox for the next start. With `until_sent`
        a source that cannot be opened is a `DriverError`.
        """
        for driver in [feed.driver for feed in self.feeds] if until_sent else ():
            if isinstance(driver, Awaited):
                raise driver.error
        async with self._closing(), self.publisher, self._kept(), asyncio.TaskGroup() as group:
            await self._announce()
            tend = group.create_task(self._tend())
            obey = [group.create_task(self._executor.work())] if self._executor else []
            feeds = [group.create_task(self._feed(feed)) for feed in self.feeds]
            stop = group.create_task(self._stop.wait())
            self.started.set()
            work = [group.create_task(self._sent(feeds))] if until_sent else []
            try:
                await asyncio.wait([stop, *work], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stop.set()  # also after a fault: nobody waits any longer for the disk
            for task in (tend, stop, *feeds, *work, *obey):
                task.cancel()

    def _commands(self, lines: LogLines) -> Executor:
        said = self.settings.commands
        return Executor(
            self.settings.identity,
            CommandFile(self.settings.commands_path),
            Diagnostics(self, lines).verbs(),
            checker(said.key_file, trial=self.settings.broker.loopback),
            lambda: clock.now().wall_ns,
        )

    @contextlib.asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._executor is not None:
                await self._executor.close()

    async def _sent(self, feeds: Sequence["asyncio.Task[None]"]) -> None:
        await asyncio.wait(feeds)
        await self.publisher.drained()

    async def _feed(self, feed: Feed) -> None:
        sampler = Sampler(
            prefix=feed.prefix,
            clock=clock.quality(self.settings.clock) if self.settings.time == "wall" else None,
            historical=feed.stream == "backfill",
        )
        sampler.dictionary = self.publisher.dictionary
        waiting = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                flusher = group.create_task(self._flush(feed, sampler, waiting))
                await self._read(feed, sampler, waiting)
                flusher.cancel()
            if batch := sampler.flush():
                await self._keep(feed, batch)
        finally:
            # Also when cancelled: what was read goes to the disk before the end.
            if batch := sampler.flush():
                await self._keep(feed, batch)

    async def _read(self, feed: Feed, sampler: Sampler, waiting: asyncio.Event) -> None:
        wait_s = DRIVER_WAIT_S
        while True:
            try:
                async with contextlib.aclosing(feed.driver.readings()) as readings:
                    async for reading in readings:
                        wait_s = DRIVER_WAIT_S
                        self.latest.note(feed, reading)
                        if feed.driver.patient:
                            await self.publisher.room()
                        await self._learn(feed, reading, sampler)
                        if batch := sampler.add(reading, clock.now().mono_ns):
                            await self._keep(feed, batch)
                        waiting.set()
            except Exception as error:  # a fault in one driver is no reason to end the others
                self._tell(feed, error, f"trying again in {wait_s:.0f} s")
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_DRIVER_WAIT_S)
            else:
                return

    def _tell(self, feed: Feed, error: Exception, then: str) -> None:
        fault = None if isinstance(error, DriverError) else error
        words = str(error) if fault is None else repr(error)
        log.error("%s; %s", words, then, exc_info=fault)
        self.publisher.notice(f"source {feed.machine or 'machine'}: {words}")

    async def _flush(self, feed: Feed, sampler: Sampler, waiting: asyncio.Event) -> None:
        """Let a group go when its second is over, also when no further reading comes."""
        while True:
            due_ns = sampler.due_ns
            if due_ns is None:
                waiting.clear()
                await waiting.wait()
                continue
            left_ns = due_ns - clock.now().mono_ns
            if left_ns > 0:
                await asyncio.sleep(left_ns / 1e9)
            elif batch := sampler.flush():
                try:
                    await self._keep(feed, batch)
                except Exception as error:  # a fault in one source is no reason to end the others
                    self._tell(feed, error, f"{counted(batch.count, 'reading')} dropped")

    async def _announce(self) -> None:
        """Announce what is known at the start, without the largest sources if it is too much."""
        feeds = sorted(self.feeds, key=lambda feed: len(feed.metrics()))
        while True:
            try:
                return await self._declare(self._metrics)
            except ContractError as error:  # the birth is too large
                if not feeds:
                    raise
                self._tell(feeds.pop(), error, "its signals are not announced")
                self._metrics = _metrics(feeds)

    async def _learn(self, feed: Feed, reading: Reading, sampler: Sampler) -> None:
        """A signal that nobody announced becomes part of the dictionary."""
        if any(feed.prefix + name not in self._metrics for name in reading.values):
            async with self._declaring:  # the newest birth names what every source has
                await self._add(feed, reading, sampler)
        sampler.dictionary = self.publisher.dictionary

    async def _add(self, feed: Feed, reading: Reading, sampler: Sampler) -> None:
        columns = (feed.prefix + name for name in reading.values)
        new = [name for name in columns if name not in self._metrics and names_signal(name)]
        if not (new := new[: self._most - len(self._metrics)]):
            return
        known = {metric.name: metric for metric in feed.metrics() if _sayable(metric)}
        metrics = self._metrics | {name: known.get(name) or Metric(name=name) for name in new}
        if batch := sampler.flush():
            await self._keep(feed, batch)
        try:
            await self._declare(metrics)
        except ContractError as error:  # the birth is too large
            self._most = len(self._metrics)
            log.error("no signal beyond %d is announced: %s", self._most, error)
        else:
            self._metrics = metrics

    async def _declare(self, metrics: Mapping[str, Metric]) -> None:
        await self._written(lambda: self.publisher.declare(metrics.values()))

    async def _keep(self, feed: Feed, batch: Batch) -> None:
        """Return when a batch is durable; whoever waits may be cancelled, the batch goes on."""
        keeping = asyncio.create_task(self._stored(feed.stream, batch))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        await asyncio.shield(keeping)

    async def _stored(self, stream: str, batch: Batch) -> None:
        try:
            await self._written(lambda: self.publisher.append(stream, batch))
        except OutboxError as error:
            noted = await self.publisher.spool.lose(stream, batch.count)
            then = "will be declared" if noted else "cannot be declared"
            log.error("%d readings are lost and %s: %s", batch.count, then, error)

    @contextlib.asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """At the end, let what is on its way to the disk get there, or be noted as lost."""
        try:
            yield
        finally:
            await asyncio.gather(*self._keeping, return_exceptions=True)

    async def _written(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write to the outbox until it takes it; `OutboxError` where the agent is to stop."""
        while True:
            try:
                await write()
            except OutboxError as error:
                if self._stop.is_set():
                    raise
                log.error("the outbox cannot be written: %s; trying again", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), RETRY_S)
            else:
                return

    async def _tend(self) -> None:
        """Look after the disk, and say when it is full and when it no longer is.

        `OutboxGone` ends the agent: what is there then opens at a new start.
        """
        spool = self.publisher.spool
        told = None
        while True:
            await asyncio.sleep(TEND_S)
            try:
                await spool.call(spool.outbox.tend)
            except OutboxGone:
                raise
            except OutboxError as error:
                log.error("the outbox cannot be looked after: %s; trying again", error)
                continue
            degraded = spool.outbox.degraded
            if degraded != told:
                text = "degraded: the disk is full" if degraded else "the disk has room again"
                log.warning("%s", text)
                self.publisher.notice(text, degraded=degraded)
                told = degraded
