"""What is different beneath the ledger: SQLite in one file, PostgreSQL by address.

PostgreSQL is spoken to with pg8000 (pure Python, BSD). Beyond this machine only over TLS with a
verified certificate. Transactions that write take one advisory lock, so that they follow each
other as on SQLite, whichever process they come from.
"""

import ipaddress
import ssl
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from cloud.errors import SettingsError, StoreBusy, StoreCorrupt, StoreError, StoreFull
from cloud.ledger.place import Place

BUSY_MS: Final = 5_000
PRAGMAS: Final = (
    f"PRAGMA busy_timeout={BUSY_MS}",  # first: the others wait for a lock, too
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
ANSWER_S: Final = 30.0  #: how long PostgreSQL may take for one answer
LOCK: Final = 0x466577  #: "Few": the advisory lock of writing transactions
CONNECTIONS: Final = 5
PEAK: Final = 15  #: more of them while many ask at once
#: SQLSTATE classes and codes (PostgreSQL manual, appendix A) that pass by themselves
_PASSING: Final = ("08", "40", "53", "55P03", "57", "58")
_FULL: Final = ("53100",)
_CORRUPT: Final = ("XX001", "XX002")
_REFUSED: Final = ("28", "3D000", "42501")


def connect(place: Place) -> sa.Engine:
    """Return an engine. `SettingsError` when the address cannot be meant."""
    try:
        url = sa.make_url(place.url)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+pg8000")
        if place.password is not None:
            url = url.set(password=place.password)
        engine = sa.create_engine(url, **_options(url, place))
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        said = "install forewarn[postgres]" if isinstance(error, ModuleNotFoundError) else error
        raise SettingsError(
            f"ledger.url: {said}; write sqlite:///path/ledger.db or postgresql://user@host/name"
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _connect_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


def _options(url: sa.URL, place: Place) -> dict[str, Any]:
    if url.get_backend_name() != "postgresql":
        return {}
    arguments: dict[str, Any] = {
        "timeout": ANSWER_S,
        "application_name": "forewarn",
        "startup_params": {
            "synchronous_commit": "on",  # what was filed is on the disk, whatever the default is
            "lock_timeout": str(BUSY_MS),
            "idle_in_transaction_session_timeout": str(int(ANSWER_S * 1000)),
        },
    }
    if "unix_sock" not in url.query and not _is_here(url.host):
        arguments["ssl_context"] = _trust(place.ca_file)
    return {
        "connect_args": arguments,
        "pool_size": CONNECTIONS,
        "max_overflow": PEAK,
        "pool_timeout": BUSY_MS / 1000,
        "pool_pre_ping": True,
    }


def _is_here(host: str | None) -> bool:
    if not host or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(
            f"ledger.ca_file: {ca_file} is no readable file of certificates: {error}"
        ) from error


def _connect_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not at the first write
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("immediate", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def in_our_words(
    place: str, error: exc.DBAPIError | exc.TimeoutError | ConnectionError | TimeoutError
) -> StoreError:
    """Return the store's error for one of the database's, or for one of the way to it."""
    if isinstance(error, exc.TimeoutError):
        return StoreBusy(f"{place}: {CONNECTIONS + PEAK} connections are in use; try again")
    if isinstance(error, OSError):  # pg8000 lets those of its socket through
        return StoreBusy(f"{place}: {error}; does PostgreSQL run, and is the address right?")
    answer = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(answer, dict):
        return _from_postgresql(place, answer)
    text = str(error.orig)
    if type(error.orig).__module__.startswith("pg8000"):
        return StoreBusy(f"{place}: {text}; does PostgreSQL run, and is the address right?")
    return _from_sqlite(place, text, busy=isinstance(error, exc.OperationalError))


def _from_postgresql(place: str, answer: dict[str, str]) -> StoreError:
    code, text = answer.get("C", ""), answer.get("M", "")
    said = f"{place}: {text} ({code})"
    if code.startswith(_FULL):
        return StoreFull(f"{said}; free space on the server's disk")
    if code.startswith(_CORRUPT):
        return StoreCorrupt(f"{said}; restore the newest backup")
    if code.startswith(_REFUSED):
        return StoreError(f"{said}; see docs/how-to/postgresql.md, the first steps")
    if code.startswith(_PASSING):
        return StoreBusy(said)
    return StoreError(said)


def _from_sqlite(place: str, text: str, *, busy: bool) -> StoreError:
    low = text.lower()
    if "full" in low or "no space" in low:
        return StoreFull(f"{place}: {text}; free space on that disk")
    if "malformed" in low or "not a database" in low:
        return StoreCorrupt(f"{place}: {text}; restore the newest backup")
    if "unable to open" in low:
        return StoreError(f"{place}: {text}; does the folder exist, and may we write?")
    return StoreBusy(f"{place}: {text}") if busy else StoreError(f"{place}: {text}")
