"""The task that empties the outbox of alerts: at least once, each channel at its own pace.

A channel that hangs keeps only itself waiting. A crash between sending and noting it down sends
the same batch again under the same id. After a day without success a batch is given up.
"""

import asyncio
import contextlib
import logging
import random  # noqa: TID251 - jitter: no result depends on it, and tests bring their own
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeVar

from cloud.errors import NotFound, StoreError
from cloud.ledger import AlertRow, Ledger
from cloud.ledger.writer import Submit
from cloud.notify.channels import LOG, Channel, NotSent, Outlet
from cloud.notify.texts import TEST, Language, Text, compose
from models.profile import Profile, load_profiles
from models.units import shown

T = TypeVar("T")
Batch = list[AlertRow]

NS: Final = 1_000_000_000
SEND_S: Final = 30.0  #: longest attempt
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 900.0
FALLBACK_NS: Final = 900 * NS  #: so long without success the fallback channel is used too
GIVE_UP_NS: Final = 86_400 * NS
STORE_RETRY_S: Final = 5.0
DRAIN_S: Final = 2.0  #: at the end, how long attempts may still take
SLOW_S: Final = 3.0  #: a failure that took longer ends the round: the channel is down
log = logging.getLogger(__name__)


class Notifier:
    """Sends what the ledger owes people.

    `submit` runs ledger calls on its writer thread, `now` is the wall clock in ns, `jitter` gives
    numbers from 0 to 1, `link(channel, ticket)` the address at which a ticket is taken on.
    """

    def __init__(
        self,
        ledger: Ledger,
        channels: Sequence[Channel],
        *,
        submit: Submit,
        now: Callable[[], int],
        profiles: Mapping[str, Profile] | None = None,
        jitter: Callable[[], float] = random.random,
        link: Callable[[str, str], str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._channels = {channel.name: channel for channel in channels}
        self._submit = submit
        self._now = now
        self._jitter = jitter
        self._link = link
        self._profiles = load_profiles() if profiles is None else profiles
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._stuck: dict[str, threading.Thread] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        ledger.on_alert(self._filed)

    def _filed(self) -> None:
        """Wake up, from whatever thread has filed an alert."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake.set)

    def wake(self) -> None:
        """Look at the outbox now (from the event loop's thread)."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; sleeps until something is filed or due."""
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._wake.clear()
                try:
                    pause = await self._dispatch()
                except StoreError as error:
                    log.warning("outbox of alerts: %s", error)
                    pause = STORE_RETRY_S
                await self._sleep(pause, stopping)
        finally:
            stopping.cancel()
            if self._busy:
                _, late = await asyncio.wait(self._busy.values(), timeout=DRAIN_S)
                for task in late:
                    task.cancel()

    def outlets(self) -> Sequence[Outlet]:
        """Return the channels, without their secrets."""
        return [
            Outlet(name=c.name, languages=tuple(c.languages), fallback=c.fallback)
            for c in self._channels.values()
        ]

    async def send_test(self, name: str) -> str | None:
        """Send a test message over a channel; return what went wrong, without secrets."""
        try:
            await self.announce(f"test-{self._now()}", name, TEST)
        except NotSent as error:
            return str(error)
        return None

    async def announce(self, key: str, name: str, texts: Mapping[Language, Text]) -> None:
        """Send a message that belongs to no ticket over a channel; raise `NotSent`."""
        channel = self._channels[name]
        await self._hand_over(channel, key, {one: texts[one] for one in channel.languages})

    async def drain(self) -> None:
        """Make one attempt at everything that is due, and wait for the outcome."""
        await self._dispatch()
        while self._busy:
            await asyncio.wait(self._busy.values())
            await self._dispatch()

    async def _sleep(self, pause: float | None, stopping: "asyncio.Task[Literal[True]]") -> None:
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait(
                (waking, stopping), timeout=pause, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waking.cancel()

    async def _dispatch(self) -> float | None:
        """Give idle channels what they owe; return the seconds until more is due."""
        now = self._now()
        batches: dict[str, Batch] = {}
        for alert in await self._submit(lambda: self._ledger.alerts_due(now)):
            batches.setdefault(alert.batch_id or alert.id, []).append(alert)
        work: dict[str, list[Batch]] = {}
        for key, batch in batches.items():
            missing = self._missing(batch, now)
            late = now - min(alert.recorded_ns for alert in batch) >= GIVE_UP_NS
            if not missing or late:
                await self._end(key, sent=not missing)
                continue
            for name in missing:
                if name not in self._busy:
                    work.setdefault(name, []).append(batch)
        for name, owed in work.items():
            owed.sort(key=lambda batch: batch[0].attempts)  # what fails again and again comes last
            task = asyncio.create_task(self._serve(self._channels[name], owed))
            self._busy[name] = task
            task.add_done_callback(partial(self._idle, name))
        following = await self._submit(lambda: self._ledger.alerts_next(now))
        return None if following is None else max(0.0, (following - now) / NS)

    def _idle(self, name: str, _task: "asyncio.Task[None]") -> None:
        del self._busy[name]
        self._wake.set()

    def _missing(self, batch: Batch, now: int) -> list[str]:
        """Return the channels that still owe a batch."""
        has = set(batch[0].delivered)
        missing = [c.name for c in self._channels.values() if not c.fallback and c.name not in has]
        age = now - min(alert.recorded_ns for alert in batch)
        if missing and not has and age >= FALLBACK_NS:
            missing += [c.name for c in self._channels.values() if c.fallback]
        return missing

    async def _end(self, batch_id: str, *, sent: bool) -> None:
        if not sent:
            log.error("alert %s: given up after a day, see its deliveries", batch_id)
        await self._submit(lambda: self._ledger.alert_done(batch_id, sent=sent))

    async def _serve(self, channel: Channel, batches: Sequence[Batch]) -> None:
        """Send batches over one channel, one after the other."""
        loop = asyncio.get_running_loop()
        down: str | None = None
        for batch in batches:
            key = batch[0].batch_id or batch[0].id
            began, error = loop.time(), down
            if down is None:
                try:
                    await self._send(channel, key, batch)
                except NotSent as failure:
                    error = str(failure)
                    log.warning("alert %s over %s: %s", key, channel.name, error)
                    down = error if loop.time() - began > SLOW_S else None
            try:
                await self._note(key, channel.name, error, batch[0].attempts)
            except StoreError as failure:
                log.warning("alert %s over %s not noted: %s", key, channel.name, failure)

    async def _note(self, key: str, channel: str, error: str | None, attempts: int) -> None:
        if error is None:
            await self._submit(lambda: self._ledger.alert_sent(key, channel))
            return
        longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts, 20))
        retry_ns = self._now() + int((1.0 + self._jitter() * longest) * NS)
        await self._submit(lambda: self._ledger.alert_failed(key, channel, error, retry_ns))

    async def _send(self, channel: Channel, key: str, batch: Batch) -> None:
        """Compose a message and make one attempt."""
        name = batch[0].advisory.profile
        profile = self._profiles.get(name) or Profile(name=name, version=0, title={})
        try:
            told = await self._submit(lambda: self._ledger.units(batch[0].machine))
        except (NotFound, StoreError) as error:
            raise NotSent(f"the ledger: {error}") from error
        profile = shown(profile, told)
        # not into a log: whoever has the link may take the ticket on
        link = partial(self._link, channel.name) if self._link and channel.name != LOG else None
        texts = {lang: compose(batch, lang, profile, link) for lang in channel.languages}
        await self._hand_over(channel, key, texts)

    async def _hand_over(self, channel: Channel, key: str, texts: Mapping[Language, Text]) -> None:
        """Make one attempt on a thread of its own, which cannot hold up the end of the program."""
        before = self._stuck.get(channel.name)
        if before is not None and before.is_alive():
            raise NotSent("the attempt before still hangs")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[NotSent | None] = loop.create_future()

        def finish(result: NotSent | None) -> None:
            if not outcome.done():
                outcome.set_result(result)

        def work() -> None:
            result: NotSent | None = None
            try:
                channel.send(key, texts)
            except NotSent as error:
                result = error
            except Exception as error:  # a plugin's own
                result = NotSent(f"{type(error).__name__} in the channel")
            with contextlib.suppress(RuntimeError):  # the loop may be gone by now
                loop.call_soon_threadsafe(finish, result)

        thread = threading.Thread(target=work, name=f"alert-{channel.name}", daemon=True)
        thread.start()
        try:
            failure = await asyncio.wait_for(outcome, SEND_S)
        except TimeoutError:
            self._stuck[channel.name] = thread
            raise NotSent(f"no answer within {SEND_S:.0f} s") from None
        if failure is not None:
            raise failure
