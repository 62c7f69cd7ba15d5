"""`forewarn setup influx cloud.toml`: make in InfluxDB what the service needs; safe to repeat.

Three buckets with the retentions of the settings, and a task that makes hours good where one is
missing. `--first-use` also sets a new server up: organisation, first user, and a token in the
settings' `token_file`.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from cloud import settings as cloud_settings
from cloud.errors import CloudError, SettingsError
from cloud.settings import TelemetrySettings
from models.counts import counted


def first_use(settings: TelemetrySettings) -> str:
    """Set a new server up and keep its token in the settings' file; say what was done.

    A token that is there already is of an attempt that was cut off: it is gone on with.
    """
    from cloud.telemetry.influx import server  # noqa: PLC0415 (an extra)

    if settings.token_file is None:
        raise SettingsError("telemetry.token_file: name the file that shall hold the token")
    path = Path(settings.token_file)
    known = path.exists()
    token = settings.token() if known else secrets.token_urlsafe(32)
    if not known:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="ascii") as file:  # noqa: PTH123 (made with its mode)
            file.write(token)
    if not server.set_up(settings.url.rstrip("/"), settings.org, token):
        if not known:
            path.unlink()
        raise SettingsError(
            f"{settings.url} has been set up before: leave --first-use out, or ask its owner for "
            "a token"
        )
    return f"{settings.url}: set up, organisation '{settings.org}', token in {path}"


def influx(settings: TelemetrySettings) -> list[str]:
    """Make buckets and task; return what was done, a line each."""
    from cloud.telemetry.influx import repair, setup  # noqa: PLC0415 (an extra)
    from cloud.telemetry.influx.http import Server  # noqa: PLC0415

    server = Server(url=settings.url.rstrip("/"), org=settings.org, token=settings.token())
    buckets = setup.Buckets.of(settings.bucket)
    retention = setup.Retention(raw_days=settings.raw_days, minute_days=settings.minute_days)
    made = setup.make_buckets(server, buckets, retention)
    repair.make_task(server, buckets)
    return [
        *(
            f"bucket {name}: {'made' if name in made else 'is there'}, {kept}"
            for name, kept in zip(
                buckets,
                (_days(retention.raw_days), _days(retention.minute_days), _days(0)),
                strict=True,
            )
        ),
        f"task {repair.name_of(buckets)}: every {repair.EVERY}",
    ]


def _days(days: int) -> str:
    return f"kept {counted(days, 'day')}" if days else "kept for ever"


def main(arguments: list[str]) -> int:
    """Set a server up; status 1 with the reason when it could not be done."""
    parser = argparse.ArgumentParser(prog="forewarn setup", description=__doc__)
    parser.add_argument("what", choices=("influx",), help="which server")
    parser.add_argument("settings", type=Path, metavar="cloud.toml", help="the service's settings")
    parser.add_argument(
        "--first-use", action="store_true", help="the server is new: make user, token, organisation"
    )
    options = parser.parse_args(arguments)
    try:
        settings = cloud_settings.load(options.settings).telemetry
        if options.first_use:
            print(first_use(settings))
        print("\n".join(influx(settings)))
    except (CloudError, OSError) as error:
        print(f"forewarn setup: {error}", file=sys.stderr)
        return 1
    return 0
