"""`forewarn-agent`: run the device side, check its settings, show what waits in its outbox."""

import edge_agent.lean  # noqa: F401  # before what it makes wait

# isort: split
import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from edge_agent import settings as edge_settings
from edge_agent.errors import AgentError, first
from edge_agent.later import later
from edge_agent.outbox_file import connect_read_only, stats
from edge_agent.settings import MEMORY
from models.counts import counted

log = logging.getLogger("forewarn.agent")


def as_wide_as_shown(prog: str) -> argparse.HelpFormatter:
    """Format help as usual, without `shutil`, which argparse asks for the width: it is 0.5 MB."""
    try:
        width = os.get_terminal_size().columns
    except OSError:
        width = 80
    return argparse.HelpFormatter(prog, width=width - 2)


class Version(argparse.Action):
    """Prints the version; what knows it is slow to load, so only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import version  # noqa: PLC0415

        print(f"forewarn-agent {version('forewarn')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(
        prog="forewarn-agent",
        description=__doc__,
        formatter_class=as_wide_as_shown,
        epilog="exit status: 0 done, 1 it failed (the reason is on stderr), 2 wrong arguments",
    )
    found.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    verbs = found.add_subparsers(dest="verb", required=True)
    verb = partial(verbs.add_parser, formatter_class=as_wide_as_shown)
    run = verb("run", help="read, store and send until SIGTERM or Ctrl-C")
    run.add_argument(
        "--until-sent",
        action="store_true",
        help="end when every source has ended (a recording) and the service has everything",
    )
    run.add_argument("--verbose", action="store_true", help="also log what is of use to developers")
    verb("check", help="check the settings without starting anything")
    status = verb("status", help="what waits in the outbox")
    status.add_argument("--json", action="store_true", help="print JSON, for programs")
    for made in verbs.choices.values():
        made.add_argument("settings", type=Path, metavar="edge.toml", help="the device's settings")
    return found


async def run(settings: edge_settings.Settings, *, until_sent: bool) -> None:
    """Run the agent until a signal comes."""
    # libraries import these for proxies, web sockets and terminals; they weigh 4 MB together
    for name in ("hashlib", "shutil", "urllib.request"):
        later(name)
    # `check` and `status` need no MQTT
    from edge_agent.agent import Agent  # noqa: PLC0415
    from edge_agent.loglines import LogLines  # noqa: PLC0415

    lines = LogLines()
    logging.getLogger().addHandler(lines)
    agent = Agent(settings, lines=lines)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    await agent.run(until_sent=until_sent)


def rfc3339(ns: int) -> str:
    """Return a time in ns since 1970 as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")


def status(settings: edge_settings.Settings, *, as_json: bool) -> int:
    """Print what waits in the outbox."""
    path = Path(settings.outbox.path)
    if settings.outbox.path == MEMORY or not path.exists():
        print(f"forewarn-agent: there is no outbox at {path} yet", file=sys.stderr)
        return 1
    try:
        with contextlib.closing(connect_read_only(path)) as db:
            numbers = stats(db, path)
    except sqlite3.DatabaseError as error:
        print(f"forewarn-agent: {path} cannot be read: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(msgspec.json.encode(numbers).decode())
        return 0
    limit = settings.outbox.max_mb * 1024 * 1024
    print(f"{settings.identity}: {path}")
    print(f"  on disk  {numbers.disk_bytes:,} bytes of at most {limit:,}")
    batches, aside = (counted(n, "batch", "batches") for n in (numbers.batches, numbers.aside))
    print(f"  waiting  {counted(numbers.samples, 'sample')} in {batches}")
    for stream, waiting in numbers.streams.items():
        oldest = rfc3339(waiting.oldest_ns)
        samples = counted(waiting.samples, "sample")
        print(f"  {stream:8} {samples}, {waiting.bytes:,} bytes, from {oldest}")
    print(f"  lost     {counted(numbers.gap_samples, 'sample')}, to be declared to the service")
    print(f"  aside    {aside} that the service could not read")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status."""
    options = parser().parse_args(arguments)
    if options.verb == "check":
        problems = edge_settings.check(options.settings, here=True)
        for problem in problems:
            print(problem, file=sys.stderr)
        if not problems:
            print(f"{options.settings}: fine")
        return bool(problems)
    failed = False
    try:
        settings = edge_settings.load(options.settings)
        if options.verb == "status":
            return status(settings, as_json=options.json)
        settings.broker.password()
        logging.basicConfig(
            level=logging.DEBUG if options.verbose else logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        asyncio.run(run(settings, until_sent=options.until_sent))
    except* AgentError as group:
        failed = True
        print(f"forewarn-agent: {first(group)}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
