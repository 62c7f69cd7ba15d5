"""The checks of a device: settings, outbox, broker, clock."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from edge_agent import aside, first_page, salvage
from edge_agent import settings as edge
from edge_agent.errors import AgentError
from edge_agent.kept_file import lost_page
from edge_agent.outbox_file import connect_read_only, disk_bytes, stats
from edge_agent.reserve import PAGE, Quota
from forewarn import findings
from forewarn.findings import Check, Finding, advice, problem
from models.counts import counted

FULL: Final = 0.8  #: share of the outbox from which readings will be lost soon


def checks(path: Path, _backups: Path | None) -> Mapping[str, Check]:
    """Return the checks by name. Nothing but the settings can be checked when those are wrong."""
    try:
        settings = edge.load(path)
    except AgentError as error:
        found = findings.settings(path, "FW201", str(error), "deploy/edge.toml")
        return {"settings": lambda: [found]}
    outbox = Path(settings.outbox.path)
    return {
        "settings": lambda: (),
        "secrets": lambda: _secrets(settings),
        "folder": lambda: findings.folder(outbox.parent, "FW202"),
        "disk": lambda: _disk(settings, outbox),
        "outbox": lambda: _outbox(settings, outbox),
        "aside": lambda: _aside(outbox, settings.commands_path),
        "broker": lambda: findings.broker(settings.broker, "FW21"),
        "clock": lambda: findings.clock("FW231"),
    }


def _secrets(settings: edge.Settings) -> Iterator[Finding]:
    yield from findings.secret(settings.broker.password_file, "broker.password_file", "FW203")
    yield from findings.secret(settings.broker.key_file, "broker.key_file", "FW203")


def _disk(settings: edge.Settings, outbox: Path) -> Iterator[Finding]:
    used = disk_bytes(outbox) if outbox.exists() else 0
    least = max((settings.outbox.max_mb << 20) - used, 0)
    yield from findings.room(outbox.parent, least, "FW204", "for the outbox (outbox.max_mb)")


def _outbox(settings: edge.Settings, outbox: Path) -> Iterator[Finding]:
    if (renewed := salvage.ready(outbox)).exists():
        yield problem(
            "FW208",
            f"{renewed} waits to be put in the place of {outbox}, which is damaged",
            "start the agent, which does that first; delete neither",
        )
        return
    if not outbox.exists():
        return
    try:
        with contextlib.closing(connect_read_only(outbox)) as db:
            first_page.check(db, outbox)
            said = [row[0] for row in db.execute("PRAGMA quick_check(5)")]
            found = stats(db, outbox)
    except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:  # all are said of damage
        said, found = [str(error) or "a row claims to be larger than memory"], None
    if said != ["ok"] or found is None:
        yield problem(
            "FW205",
            f"{outbox}: {'; '.join(said)}",
            "start the agent: what can be read goes into a new file; look at the disk",
        )
        return
    room = Quota(settings.outbox.max_mb << 20).pages * PAGE
    share = found.bytes / room
    waiting = counted(found.samples, "sample waits", "samples wait")
    if share > FULL:
        yield problem(
            "FW206",
            f"{outbox} is {share:.0%} full: {waiting} for the service",
            "see that the broker is reached; raise outbox.max_mb",
        )
    elif found.samples:
        yield advice(
            "FW207",
            f"{waiting} for the service's receipt",
            "nothing, while the agent runs and the number falls",
        )


def _aside(outbox: Path, commands: Path | None) -> Iterator[Finding]:
    if not outbox.parent.is_dir():
        return
    of = [path for path in (outbox, lost_page(outbox), commands) if path]
    found = [one for path in of for one in aside.found(path)]
    if found:
        size = sum(one.bytes for one in found)
        yield advice(
            "FW209",
            f"{counted(len(found), 'damaged file')} set aside beside {outbox}, {size:,} bytes,"
            f" the last {max(found).path.name}",
            "look at the disk; delete them when nobody needs what was lost with them",
        )
