"""The verbs of whoever runs the service: on its ledger, with its settings file, not over HTTP."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cloud.accounts.desk import Desk
from cloud.errors import CloudError
from cloud.ledger import Ledger, open_ledger
from cloud.places import places
from cloud.settings import CloudSettings, load
from forewarn.client import ServiceError
from forewarn.tables import user

Settings = Annotated[
    Path | None,
    typer.Option(metavar="cloud.toml", help="the service's settings", envvar="FOREWARN_SETTINGS"),
]


def now_ns() -> int:
    """Return the wall clock, ns since 1970 UTC."""
    return time.time_ns()  # noqa: TID251 - a command line is its own composition root


def actor() -> str:
    """Return who acts, for the event log."""
    return f"{user()} at the console"


def settings_of(path: Path | None) -> CloudSettings:
    """Read the settings; `ServiceError` says what is wrong."""
    try:
        return load(path) if path else CloudSettings()
    except CloudError as error:
        raise ServiceError(str(error)) from error


@contextlib.contextmanager
def ledger_of(settings: CloudSettings) -> Iterator[Ledger]:
    """Open the service's ledger; errors in our words."""
    folder = Path(settings.data)
    if settings.ledger.url is None and not folder.is_dir():
        raise ServiceError(
            f"there is no folder {folder.absolute()} (`data` in the service's settings): start the "
            "service once, or name its settings with --settings cloud.toml"
        )
    try:
        ledger = open_ledger(places(settings).ledger, now_ns)
        try:
            yield ledger
        finally:
            ledger.close()
    except CloudError as error:
        raise ServiceError(str(error)) from error


@contextlib.contextmanager
def desk_of(settings: CloudSettings) -> Iterator[Desk]:
    """Open the service's accounts."""
    with ledger_of(settings) as ledger:
        yield Desk(ledger, now_ns)
