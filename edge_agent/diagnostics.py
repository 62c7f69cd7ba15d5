"""What an engineer may ask of a device far away: a closed set of verbs, none of which changes it.

snapshot · log · capture · selftest · network. Arguments are checked; wrong ones are refused with
the name of the field.
"""

import asyncio
import contextlib
import math
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec

from edge_agent import clock
from edge_agent.commands import Refusal, Verb
from edge_agent.drivers import Reading, Value
from edge_agent.loglines import LogLines
from edge_agent.outbox_file import connect_read_only
from edge_agent.reserve import room
from models.contract.wire import CommandText

if TYPE_CHECKING:
    from edge_agent.agent import Agent, Feed

CAPTURED: Final = 20_000  #: values in one capture
LATE: Final = 10  #: intervals without a reading after which a source counts as silent
LATE_S: Final = 5.0
CONNECT_S: Final = 5.0
BUILT_NS: Final = 1_735_689_600 * 10**9  #: 2025-01-01: a clock before it was never set
INSTEAD: Final = {
    "seconds": "for longer ask again, or read what is stored: forewarn series",
    "rate_hz": "what is faster is a high-rate channel of the agent's settings",
    "lines": "ask for the rest with since_ns, level or text",
    "signals": "without it all are captured",
}  #: what to do about an argument beyond its limits
A = TypeVar("A", bound=msgspec.Struct)


class _Args(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _None(_Args, frozen=True, kw_only=True):
    pass


class _Log(_Args, frozen=True, kw_only=True):
    since_ns: Annotated[int, msgspec.Meta(ge=0)] = 0
    level: Literal["INFO", "WARNING", "ERROR"] = "INFO"
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    lines: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class _Capture(_Args, frozen=True, kw_only=True):
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=200)] | None = None
    signals: Annotated[list[str], msgspec.Meta(max_length=64)] = []


def read(kind: type[A], command: CommandText) -> A:
    """Return a command's arguments; `Refusal` says what is wrong with which, and what would do."""
    try:
        return msgspec.convert(command.args, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").partition("[")[0]
        if name:
            hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
            raise Refusal(422, f"args.{name}: {what}{hint}") from error
        known = ", ".join(kind.__struct_fields__) or "none"
        raise Refusal(422, f"args: {what}; {command.op} takes: {known}") from error


class Latest:
    """The newest value of every column, and who else wants to see readings as they come."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[int, Value]] = {}
        self.heard_s: dict[int, float] = {}  #: id of a feed -> when it last gave a reading
        self.taps: list[Callable[[Feed, Reading], None]] = []

    def note(self, feed: "Feed", reading: Reading) -> None:
        """Take a reading."""
        self.heard_s[id(feed)] = time.monotonic()
        for name, value in reading.values.items():
            self.values[feed.prefix + name] = (reading.wall_ns, value)
        for tap in self.taps:
            tap(feed, reading)


class Diagnostics:
    """The verbs of one agent."""

    def __init__(self, agent: "Agent", lines: LogLines) -> None:
        self._agent = agent
        self._lines = lines
        self._began_s = time.monotonic()

    def verbs(self) -> Mapping[str, Verb]:
        """Return what can be asked, by name."""
        found: dict[str, Callable[[CommandText], Awaitable[Mapping[str, object]]]] = {
            "snapshot": self.snapshot,
            "log": self.log,
            "capture": self.capture,
            "selftest": self.selftest,
            "network": self.network,
        }
        return found

    async def snapshot(self, command: CommandText) -> Mapping[str, object]:
        """Newest values, versions, what waits in the outbox, the state of the connection."""
        from importlib.metadata import version  # noqa: PLC0415  it is heavy, and seldom asked for

        read(_None, command)
        publisher = self._agent.publisher
        outbox = publisher.spool.outbox
        stats = await publisher.spool.call(outbox.stats)
        return {
            "agent": version("forewarn"),
            "boot": publisher.boot,
            "running_s": round(time.monotonic() - self._began_s, 1),
            "now_ns": clock.now().wall_ns,
            "clock": msgspec.to_builtins(clock.quality(self._agent.settings.clock)),
            "outbox": msgspec.to_builtins(stats),
            "degraded": outbox.degraded,
            "receipts": publisher.sender.receipts,
            "resent": sum(flow.resent for flow in publisher.sender.flows.values()),
            "signals": {
                name: {"at_ns": at_ns, "value": _plain(value)}
                for name, (at_ns, value) in self._agent.latest.values.items()
            },
        }

    async def log(self, command: CommandText) -> Mapping[str, object]:
        """Lines of the agent's log by time, level and text."""
        args = read(_Log, command)
        found = self._lines.find(
            since_ns=args.since_ns, level=args.level, text=args.text, limit=args.lines
        )
        return {"lines": msgspec.to_builtins(found)}

    async def capture(self, command: CommandText) -> Mapping[str, object]:
        """Readings of some seconds as they come, faster than usual where the source can."""
        args = read(_Capture, command)
        wanted = set(args.signals)
        if unknown := wanted - self._agent.columns:
            raise Refusal(422, f"args.signals: not known here: {', '.join(sorted(unknown))}")
        taken = _Taken(wanted)
        async with asyncio.TaskGroup() as group:
            faster = [
                group.create_task(_fast(feed, args.rate_hz, taken.tap))
                for feed in self._agent.feeds
                if args.rate_hz is not None and hasattr(feed.driver, "faster")
            ]
            if not faster:
                self._agent.latest.taps.append(taken.tap)
            try:
                await asyncio.sleep(args.seconds)
            finally:
                if not faster:
                    self._agent.latest.taps.remove(taken.tap)
                for task in faster:
                    task.cancel()
        return {
            "whole": taken.room > 0,
            "signals": {
                name: {"at_ns": times, "values": values}
                for name, (times, values) in taken.columns.items()
            },
        }

    async def selftest(self, command: CommandText) -> Mapping[str, object]:
        """Look at outbox, disk, clock, sources and connection; each with a word."""
        read(_None, command)
        publisher = self._agent.publisher
        checks = [
            await self._outbox(),
            self._disk(),
            _check("clock", clock.now().wall_ns >= BUILT_NS, "set the time, or run NTP"),
            _check("link", publisher.link.error is None, str(publisher.link.error)),
        ]
        for index, feed in enumerate(self._agent.feeds):
            silent_s = time.monotonic() - self._agent.latest.heard_s.get(id(feed), self._began_s)
            most_s = max(LATE * feed.interval_s, LATE_S)
            words = f"no reading for {silent_s:.0f} s"
            checks.append(_check(f"source {feed.prefix or index}", silent_s <= most_s, words))
        return {"ok": all(check["ok"] for check in checks), "checks": checks}

    async def _outbox(self) -> dict[str, object]:
        path = self._agent.publisher.spool.outbox.path
        if path is None:
            return _check("outbox", True, "")

        def look() -> str:
            with contextlib.closing(connect_read_only(path)) as db:
                return "; ".join(row[0] for row in db.execute("PRAGMA quick_check(3)"))

        try:
            found = await asyncio.to_thread(look)
        except sqlite3.DatabaseError as error:
            found = str(error)
        return _check("outbox", found == "ok", found)

    def _disk(self) -> dict[str, object]:
        path = self._agent.publisher.spool.outbox.path
        free, total = room(path.parent if path else Path())
        return _check("disk", free >= 0.05 * total, f"{free:,} of {total:,} bytes are free")

    async def network(self, command: CommandText) -> Mapping[str, object]:
        """How long name and connection to the broker take, and what is plugged in."""
        read(_None, command)
        broker = self._agent.settings.broker
        result: dict[str, object] = {"broker": f"{broker.host}:{broker.port}"}
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await loop.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
                result["addresses"] = sorted({str(entry[4][0]) for entry in found})
                result["resolve_ms"] = round((loop.time() - begin) * 1e3, 2)
                begin = loop.time()
                _, writer = await asyncio.open_connection(broker.host, broker.port)
                result["connect_ms"] = round((loop.time() - begin) * 1e3, 2)
                writer.close()
        except (OSError, TimeoutError) as error:
            result["error"] = str(error) or f"no answer within {CONNECT_S:.0f} s"
        result["interfaces"] = _interfaces()
        return result


class _Taken:
    """The readings of some signals (none named: of all) as they come, while there is room."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self.room = CAPTURED
        self.columns: dict[str, tuple[list[int], list[Value]]] = {}

    def tap(self, feed: "Feed", reading: Reading) -> None:
        """Take what a source has just read."""
        for name, value in reading.values.items():
            column = feed.prefix + name
            if self.room > 0 and (not self._wanted or column in self._wanted):
                times, values = self.columns.setdefault(column, ([], []))
                times.append(reading.wall_ns)
                values.append(_plain(value))
                self.room -= 1


async def _fast(
    feed: "Feed", rate_hz: float | None, tap: Callable[["Feed", Reading], None]
) -> None:
    driver: Any = feed.driver
    async for reading in driver.faster(1 / (rate_hz or 1)).readings():
        tap(feed, reading)


def _plain(value: Value) -> Value:
    """Return a value as JSON can say it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(name: str, ok: bool, words: str) -> dict[str, object]:
    return {"check": name, "ok": ok, "text": "fine" if ok else words}


def _interfaces() -> list[dict[str, object]]:
    """Return the network interfaces where psutil is there."""
    try:
        import psutil  # noqa: PLC0415  only the host driver needs it otherwise
    except ImportError:
        return []
    counters = psutil.net_io_counters(pernic=True)
    return [
        {
            "name": name,
            "up": state.isup,
            "speed_mbit": state.speed or None,
            "received_bytes": counters[name].bytes_recv if name in counters else None,
            "sent_bytes": counters[name].bytes_sent if name in counters else None,
            "errors": counters[name].errin + counters[name].errout if name in counters else None,
        }
        for name, state in psutil.net_if_stats().items()
    ]
