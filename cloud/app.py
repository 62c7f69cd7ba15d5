"""The composition root: settings in, a running service out."""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import uvicorn

from cloud.accounts.desk import Desk
from cloud.admission import Admission
from cloud.api import ApiDeps, HealthReport, create_app
from cloud.api.forms.acknowledging import address
from cloud.detectors import Drifts, detectors_of
from cloud.diagnostics.console import Console
from cloud.diagnostics.signing import Signer
from cloud.durable import write_whole
from cloud.errors import CloudError, SettingsError, StoreError
from cloud.keep.upgrade import keep_before_upgrade
from cloud.ledger import Ledger, open_ledger
from cloud.link import Link
from cloud.live import Live
from cloud.metrics import Metrics, Sources
from cloud.notify import Notifier, channels_from
from cloud.notify.operator import Operator
from cloud.places import places
from cloud.quota import Limits
from cloud.retention import Retention
from cloud.service import Service
from cloud.settings import CloudSettings, LimitSettings
from cloud.telemetry import TelemetryStore
from cloud.telemetry.opening import open_telemetry
from models.profile import Profile, load_profiles

T = TypeVar("T")
CHECK_S: Final = 1.0
DRAIN_S: Final = 3
SECRET_BYTES: Final = 32
RECALL_S: Final = 60.0  #: between two looks for what was snoozed until now
UPKEEP_S: Final = 86_400
log = logging.getLogger(__name__)


def now_ns() -> int:
    """Return the service's clock: ns since 1970 UTC. The only place that reads it."""
    return time.time_ns()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the composition root stops everything."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._leaving = asyncio.Event()

    async def main_loop(self) -> None:
        """Look once a second; uvicorn looks ten times, most of what a service at rest did."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._leaving.wait()

    def leave(self) -> None:
        """End `listen` at once."""
        self.should_exit = True
        self._leaving.set()

    async def listen(self, listener: socket.socket | None) -> None:
        """Serve until `should_exit`; `CloudError` when address or certificate cannot be had."""
        try:
            self.config.load()
        except OSError as error:
            files = f"{self.config.ssl_certfile}, {self.config.ssl_keyfile}"
            raise SettingsError(f"api.cert_file, key_file: {files}: {error}") from error
        try:
            await self.serve(None if listener is None else [listener])
        except SystemExit as error:  # uvicorn's answer to a port that is taken
            place = f"{self.config.host}:{self.config.port}"
            raise CloudError(
                f"api.port: cannot listen on {place}, where another program does (a demo?): end "
                "that one, or set another port"
            ) from error

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class App:
    """Everything that runs, and the order in which it starts and stops."""

    def __init__(
        self,
        settings: CloudSettings,
        profiles: dict[str, Profile] | None = None,
        *,
        demo: bool = False,
        listener: socket.socket | None = None,
    ) -> None:
        self.settings = settings
        self._listener = listener
        self.demo = demo
        self.folder = Path(settings.data)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        channels = channels_from(settings.notify, self.folder)
        self.profiles = profiles or load_profiles()
        where = places(settings)
        keep_before_upgrade(where.ledger, self.folder)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self.ledger: Ledger = open_ledger(where.ledger, now_ns, self.profiles)
        self._check_reachable()
        self.telemetry: TelemetryStore = open_telemetry(
            settings.telemetry, self.folder, now_ns, self.ledger.quarantine_add
        )
        link = Link(settings.broker, now_ns, _limits(settings.limits))
        self._drifts: Drifts = {}
        self.service = self._ingesting(link)
        self.retention = Retention(self.ledger, self.telemetry, self.folder, now_ns, self._told_ns)
        self.notifier = Notifier(
            self.ledger, channels, submit=self.submit, now=now_ns, link=self._link()
        )
        self.operator = Operator(self.notifier, self.service.shortage, self.folder, now_ns)
        signer = Signer(self.folder)
        self.console = Console(self.ledger, link, signer, submit=self.submit, now=now_ns)
        self.live = Live(self.ledger, now_ns)
        self.service.pipeline.on_heard = self.live.heard
        self.server = _Server(self._uvicorn())
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def _ingesting(self, link: Link) -> Service:
        settings = self.settings
        service = Service(
            folder=self.folder,
            profiles=self.profiles,
            telemetry=self.telemetry,
            ledger=self.ledger,
            link=link,
            now=now_ns,
            snapshot_ns=int(settings.snapshot_s * 1e9),
            segment_bytes=settings.journal_segment_mb << 20,
            limits=_limits(settings.limits),
            free_percent=settings.limits.free_disk_percent,
            detectors=detectors_of(settings.detectors, self.profiles, self._drifts),
        )
        if settings.broker.registered:
            service.ingest.admission = Admission(
                self.ledger.devices_registered, now_ns, link.births_again
            )
        return service

    def _link(self) -> Callable[[str, str], str] | None:
        """Return what makes the links in alerts; without a public address there are none."""
        public = self.settings.api.public_url
        if public is None:
            return None
        return partial(address, _secret(self.folder / "cursor.key"), public)

    def _check_reachable(self) -> None:
        """Raise `SettingsError` when other machines would reach it and nobody could sign in."""
        if self.settings.api.reachable and (self.demo or not self.ledger.accounts_exist()):
            self.ledger.close()
            raise SettingsError(
                "api: other machines would reach this service, and there is no account to sign in "
                "with: make one first (forewarn user add NAME --role administrator --settings "
                "cloud.toml), or listen on 127.0.0.1 without public_url"
            )

    def _told_ns(self) -> int:
        return self.service.pipeline.decoder.told_ns

    def setup_link(self) -> str | None:
        """Return a new address at which the administrator is made; None: there is one already."""
        if self.demo or self.ledger.accounts_exist():
            return None
        api = self.settings.api
        host = f"[{api.host}]" if ":" in api.host else api.host
        secret = Desk(self.ledger, now_ns).setup_link()
        return f"{api.public_url or f'http://{host}:{api.port}'}/setup/{secret}"

    async def submit(self, work: Callable[[], T]) -> T:
        """Run a ledger write on the one writer thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, copy_context().run, work)

    def _uvicorn(self) -> uvicorn.Config:
        api = self.settings.api
        deps = ApiDeps(
            ledger=self.ledger,
            telemetry=self.telemetry,
            profiles=self.profiles,
            health=self.health,
            submit=self.submit,
            repaired=self.service.repaired,
            secret=_secret(self.folder / "cursor.key"),
            public_url=api.public_url,
            demo=self.demo,
            outlets=self.notifier,
            console=self.console,
            live=self.live,
            metrics=self._metrics(),
        )
        self.api = create_app(deps)
        return uvicorn.Config(
            self.api,
            host=api.host,
            port=api.port,
            ssl_certfile=api.cert_file,
            ssl_keyfile=api.key_file,
            forwarded_allow_ips=list(api.proxies),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=DRAIN_S,
        )

    def _metrics(self) -> Metrics:
        positions = {"telemetry": self.telemetry.position, "ledger": self.ledger.position}
        sources = Sources(
            status=self.service.status,
            intake=lambda: self.service.ingest.counters,
            tally=self.ledger.tally,
            positions=positions | {"journal": self.service.journal.end},
            damaged=lambda: self.service.shelf.damaged,
            folder=self.folder,
            now=now_ns,
        )
        return Metrics(sources)

    def health(self) -> HealthReport:
        """Say how the service is."""
        return HealthReport(service=self.service.status(), now_ns=now_ns(), drifts=self._drifts)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """Start everything; stop it in reverse at the end."""
        stop = asyncio.Event()
        serving = asyncio.create_task(self.server.listen(self._listener), name="api")
        background = {
            "notifier": self.notifier.run(stop),
            "operator": self.operator.run(stop),
            "live": self.live.run(stop),
            "console": self.console.run(stop),
        }
        keeping = asyncio.create_task(self._upkeep(), name="upkeep")
        recalling = asyncio.create_task(self._recall(), name="recall")
        tasks = [asyncio.create_task(work, name=name) for name, work in background.items()]
        self._tasks = (serving, keeping, recalling, *tasks)
        try:
            listening = asyncio.create_task(self.server.listening.wait())
            await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            if serving.done():
                await serving
            self.service.start()
            yield self
        finally:
            keeping.cancel()
            recalling.cancel()
            self.server.leave()
            stop.set()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(self.close)

    async def _upkeep(self) -> None:
        """Once a day, let go of readings that are past their retention."""
        while True:
            try:
                await asyncio.to_thread(self.trim)
            except StoreError as error:
                log.warning("retention: %s; tried again in a day", error)
            except Exception:
                log.exception("retention failed; tried again in a day")
            await asyncio.sleep(UPKEEP_S)

    async def _recall(self) -> None:
        """Once a minute, put what was snoozed until now back into the inbox."""
        while True:
            try:
                await self.submit(self.ledger.recall)
            except StoreError as error:
                log.warning("snoozed advisories: %s; tried again in a minute", error)
            except Exception:
                log.exception("snoozed advisories; tried again in a minute")
            await asyncio.sleep(RECALL_S)

    def trim(self) -> None:
        """Delete readings and kept replies that are past their retention."""
        until = self.retention.readings()
        if until is not None:
            self._writer.submit(self.ledger.forget_replies, until).result()

    def close(self) -> None:
        """Drain the ingest thread, write a snapshot, close the stores."""
        self.service.stop()
        self._writer.shutdown()
        self.ledger.close()

    async def until(self, stop: Awaitable[object]) -> None:
        """Return when `stop` is done; `CloudError` when a part of the service has ended before."""
        waiting = asyncio.ensure_future(stop)
        try:
            while not waiting.done():
                parts = [waiting, *self._tasks]
                await asyncio.wait(parts, timeout=CHECK_S, return_when=asyncio.FIRST_COMPLETED)
                if not self.service.alive:
                    raise CloudError(f"ingest stopped: {self.service.failure}")
                for task in self._tasks:
                    if task.done():
                        error = None if task.cancelled() else task.exception()
                        why = "by itself" if error is None else repr(error)
                        raise CloudError(f"{task.get_name()} stopped: {why}")
        finally:
            waiting.cancel()


def _limits(settings: LimitSettings) -> Limits:
    return Limits(
        device_messages_per_s=settings.device_messages_per_s,
        device_values_per_s=settings.device_values_per_s,
        tenant_values_per_s=settings.tenant_values_per_s,
        burst_s=settings.burst_s,
    )


def _secret(path: Path) -> bytes:
    """Return this installation's key, made at the first start."""
    if not path.exists() or path.stat().st_size != SECRET_BYTES:
        write_whole(path, secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()


def build(
    settings: CloudSettings, *, demo: bool = False, listener: socket.socket | None = None
) -> App:
    """Open the stores, recover from snapshot and journal, and return what is ready to run.

    In a `demo` nobody signs in. `listener`: what listens at the API's address already.

    Raises:
        CloudError: what stands in the way; a file that cannot be had is named.
    """
    try:
        return App(settings, demo=demo, listener=listener)
    except OSError as error:
        raise StoreError(f"{error.filename or settings.data}: {error.strerror}") from error
