"""The checks of the service: settings, disk, journal, stores, broker, people."""

import contextlib
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cloud import shelf, snapshot
from cloud.app import now_ns
from cloud.errors import CloudError, StoreCorrupt, StoreError
from cloud.journal import examine
from cloud.keep import manifest
from cloud.ledger import open_ledger
from cloud.ledger.database import HEAD, Database
from cloud.notify import channels_from
from cloud.places import Places, places
from cloud.settings import CloudSettings, load
from cloud.times import parse_time
from forewarn import findings
from forewarn.findings import CONNECT_S, Check, Finding, advice, problem
from models.contract.errors import Reason
from models.counts import counted

OLD_ALERT_S: Final = 900  #: an alert that waits longer goes nowhere
OLD_BACKUP_S: Final = 86_400
OLD_SNAPSHOTS: Final = 10  #: intervals
LEAST: Final = 1 << 30  #: bytes
RECENT_NS: Final = 3 * 86_400 * 10**9  #: what is older is no problem any more
NAMED: Final = 5  #: devices or machines of a finding


def checks(path: Path, backups: Path | None) -> Mapping[str, Check]:
    """Return the checks by name. Nothing but the settings can be checked when those are wrong."""
    try:
        settings = load(path)
        where = places(settings)
    except CloudError as error:
        found = findings.settings(path, "FW101", str(error), "deploy/cloud.toml")
        return {"settings": lambda: [found]}
    doctor = _Doctor(settings, where, backups)
    return {
        "settings": lambda: (),
        "secrets": doctor.secrets,
        "folder": lambda: findings.folder(where.data, "FW102"),
        "disk": doctor.disk,
        "journal": doctor.journal,
        "numbers": doctor.numbers,
        "models": doctor.models,
        "telemetry": doctor.telemetry,
        "ledger": doctor.ledger,
        "broker": lambda: findings.broker(settings.broker, "FW11"),
        "service": doctor.service,
        "certificate": doctor.certificate,
        "people": doctor.people,
        "backup": doctor.backup,
        "clock": lambda: findings.clock("FW131"),
    }


class _Doctor:
    """Looks at one installation, whether its service runs or not; changes nothing."""

    def __init__(self, settings: CloudSettings, where: Places, backups: Path | None) -> None:
        self._settings = settings
        self._where = where
        self._backups = backups

    def secrets(self) -> Iterator[Finding]:
        """Whether files of secrets are for their owner only."""
        settings = self._settings
        named = {
            "broker.password_file": settings.broker.password_file,
            "broker.key_file": settings.broker.key_file,
            "ledger.password_file": settings.ledger.password_file,
            "telemetry.token_file": settings.telemetry.token_file,
            "api.key_file": settings.api.key_file,
        }
        named |= {f"notify {one.name}": one.url_file for one in settings.notify.channels}
        for name, path in named.items():
            yield from findings.secret(path, name, "FW103")
        if self._where.data.exists():
            yield from findings.secret(str(self._where.data), "data", "FW103")

    def disk(self) -> Iterator[Finding]:
        """Whether there is room."""
        path = self._where.data.resolve()
        there = next(one for one in (path, *path.parents) if one.exists())
        share = self._settings.limits.free_disk_percent
        total = shutil.disk_usage(there).total
        least = max(int(total * share / 100), min(LEAST, total // 20))
        yield from findings.room(self._where.data, least, "FW104", "(limits.free_disk_percent)")

    def journal(self) -> Iterator[Finding]:
        """Whether the journal can be read, and reaches as far as the stores."""
        if not self._where.journal.is_dir():
            return
        stored = _stored(self._where.telemetry)
        try:
            end = examine(self._where.journal)
        except (StoreCorrupt, OSError) as error:
            yield problem("FW105", f"journal: {error}", "restore the newest backup")
            return
        if stored > end:
            yield problem(
                "FW106",
                f"the journal ends at {end}, the telemetry store at {stored}: a part is missing",
                "put the journal's files back, or restore the newest backup",
            )

    def numbers(self) -> Iterator[Finding]:
        """Whether the numbers of silent streams are as they were written."""
        path = self._where.data / "numbers.db"
        try:
            found = shelf.damaged(path)
        except StoreError as error:
            yield problem("FW134", str(error), "restore it, or move it away, while nothing runs")
            return
        if found:
            lines = counted(found, "line contradicts its checksum", "lines contradict theirs")
            yield problem(
                "FW134",
                f"{path}: {lines}",
                "see to the disk; the service goes on, and mends a line when its stream is silent",
            )

    def models(self) -> Iterator[Finding]:
        """Whether what was learned can be read."""
        folder = self._where.snapshots
        there = snapshot.positions(folder) if folder.is_dir() else []
        if not there:
            return
        if snapshot.load(folder, there[-1]) is None:
            yield problem(
                "FW107",
                f"{folder}: of {counted(len(there), 'snapshot')} none can be read",
                "restore the newest backup; without one the models learn anew",
            )
        newest = max(path.stat().st_mtime_ns for path in folder.glob("*.npz"))
        age_s = (now_ns() - newest) / 1e9
        if self._answers("/livez") and age_s > OLD_SNAPSHOTS * self._settings.snapshot_s:
            age = counted(round(age_s / 60), "minute")
            yield problem(
                "FW108",
                f"the service runs, and its newest snapshot is {age} old",
                "look for 'snapshot' in its log: a store may be away, or the disk full",
            )

    def telemetry(self) -> Iterator[Finding]:
        """Whether the store of readings works."""
        settings = self._settings.telemetry
        if settings.store == "influx":
            try:
                with urllib.request.urlopen(f"{settings.url}/health", timeout=CONNECT_S):  # noqa: S310
                    pass
                settings.token()
            except (OSError, CloudError) as error:
                yield problem(
                    "FW109",
                    f"InfluxDB at {settings.url}: {error}",
                    "start it; then forewarn setup influx",
                )
            return
        path = self._where.telemetry
        if not path.exists():
            return
        try:
            with contextlib.closing(_read_only(path)) as db:
                said = [row[0] for row in db.execute("PRAGMA quick_check(5)")]
        except sqlite3.Error as error:
            said = [str(error)]
        if said != ["ok"]:
            yield problem("FW110", f"{path}: {'; '.join(said)}", "restore the newest backup")

    def ledger(self) -> Iterator[Finding]:
        """Whether the ledger is reached, of this version, and sends its alerts."""
        file = self._where.ledger_file
        if file is not None and not file.exists():
            return
        try:
            with contextlib.closing(Database(self._where.ledger, migrate=False)) as database:
                revision = database.revision()
        except CloudError as error:
            yield problem("FW121", f"ledger: {error}", "see docs/how-to/postgresql.md")
            return
        if revision is not None and revision > HEAD:
            yield problem(
                "FW122",
                f"the ledger was written by a newer forewarn (tables {revision}, here {HEAD})",
                "install that one, or restore the backup from before",
            )
        elif revision is not None and revision < HEAD:
            yield advice(
                "FW122",
                f"the ledger has tables {revision}; the next start brings them to {HEAD}",
                "forewarn backup first, so that there is a way back",
            )
        elif revision == HEAD:
            yield from self._waiting()

    def _waiting(self) -> Iterator[Finding]:
        with contextlib.closing(open_ledger(self._where.ledger, now_ns)) as ledger:
            tally, counts = ledger.tally(), ledger.quarantine_counts()
            others = ledger.machines_in_other_units()
        if others:
            yield problem(
                "FW133",
                "limits and lives of some signals do not apply, as the devices of these machines "
                f"send them in another unit than their profile's: {_few(others)}",
                "forewarn machines MACHINE names signal and units; send the profile's unit",
            )
        if tally.oldest_alert_ns is not None:
            age_s = (now_ns() - tally.oldest_alert_ns) / 1e9
            if age_s > OLD_ALERT_S:
                alerts = counted(tally.alerts_waiting, "alert waits", "alerts wait")
                yield problem(
                    "FW123",
                    f"{alerts}, the oldest for {counted(round(age_s / 60), 'minute')}",
                    "see why on the page of deliveries (/api/v1/deliveries); mend the channel",
                )
        recent_ns = now_ns() - RECENT_NS
        quotas = [one for one in counts if one.reason == Reason.QUOTA]
        endless = [one.device or "?" for one in quotas if one.last_ns >= recent_ns]
        if endless:
            yield problem(
                "FW132",
                f"names of signals beyond the limit were left out; devices: {_few(endless)}",
                "let them use the same names in every message; a mended one needs nothing more",
            )
        for reason, count in tally.quarantined.items():
            if reason == Reason.QUOTA:
                continue
            parts = counted(count, "message or column was", "messages or columns were")
            yield advice(
                "FW124",
                f"{parts} set aside: {reason}",
                "see which devices sent them: /api/v1/quarantine",
            )

    def service(self) -> Iterator[Finding]:
        """Whether a service that runs is ready."""
        if not self._answers("/livez"):
            yield advice(
                "FW125", "no service answers at the API's address", "forewarn serve cloud.toml"
            )
        elif not self._answers("/readyz"):
            yield problem(
                "FW126",
                "the service runs but is not ready: readings are not taken or not stored",
                "the health page says which part: /api/v1/health",
            )

    def _answers(self, path: str) -> bool:
        api = self._settings.api
        host = f"[{api.host}]" if ":" in api.host else api.host
        scheme = "https" if api.cert_file else "http"
        try:
            urllib.request.urlopen(f"{scheme}://{host}:{api.port}{path}", timeout=CONNECT_S).close()  # noqa: S310
        except (OSError, urllib.error.URLError):
            return False
        return True

    def certificate(self) -> Iterator[Finding]:
        """Whether the API's certificate is valid."""
        path = self._settings.api.cert_file
        if path is not None:
            yield from findings.certificate(Path(path), "api.cert_file", "FW127")

    def people(self) -> Iterator[Finding]:
        """Whether anybody is told."""
        if not self._settings.notify.channels:
            yield advice(
                "FW128",
                "alerts go to the log only: nobody is told",
                "add a [[notify.channels]] block; deploy/cloud.toml has one",
            )
            return
        try:
            channels_from(self._settings.notify, self._where.data)
        except CloudError as error:
            yield problem("FW129", str(error), "mend the channel's address")

    def backup(self) -> Iterator[Finding]:
        """Whether the newest backup is young enough, where a folder of them is named."""
        if self._backups is None:
            return
        try:
            made = [one.finished_at for _, one in manifest.within(self._backups)]
        except StoreError as error:
            yield problem("FW130", str(error), "delete that folder, and make a new backup")
            return
        newest = max((parse_time(text, "") for text in made), default=None)
        if newest is None or (now_ns() - newest) / 1e9 > OLD_BACKUP_S:
            said = "there is none" if newest is None else "the newest is over a day old"
            yield problem(
                "FW130",
                f"backups in {self._backups}: {said}",
                "forewarn backup, once a day at least",
            )


def _few(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _stored(path: Path) -> int:
    if not path.exists():
        return -1
    with contextlib.closing(_read_only(path)) as db, contextlib.suppress(sqlite3.Error):
        return int(db.execute("SELECT n FROM position").fetchone()[0])
    return -1
