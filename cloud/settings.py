"""The service's settings: one TOML, read once, checked before anything is opened.

`deploy/cloud.toml` is the documented sample and holds the defaults. Secrets are named by file or
environment variable, never written inline.
"""

import contextlib
import ipaddress
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from cloud.errors import SettingsError
from models.toml import TomlError, parse


def is_loopback(name: str) -> bool:
    """Whether a name or address means this computer alone."""
    if name == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class BrokerSettings(_Strict, frozen=True, kw_only=True):
    """Where the MQTT broker is. `version` 5 is the default; 4 means MQTT 3.1.1."""

    host: str = "127.0.0.1"
    port: int = 1883
    version: Literal[4, 5] = 5
    client_id: str = "forewarn-ingest"
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    devices: Literal["any", "registered"] | None = None  #: which are taken; see `registered`

    @property
    def registered(self) -> bool:
        """Whether only registered devices are taken: unless said, on a broker beyond loopback.

        A broker of this computer that asks us for a name takes others too, so it counts as beyond.
        """
        if self.devices is not None:
            return self.devices == "registered"
        return not is_loopback(self.host) or self.username is not None

    def password(self) -> str | None:
        """Read the password from where the settings point; `SettingsError` names the place."""
        return _secret("broker.password", self.password_env, self.password_file)


def _secret(name: str, variable: str | None, file: str | None) -> str | None:
    if variable:
        if variable not in os.environ:
            raise SettingsError(f"{name}_env: {variable} is not set")
        return os.environ[variable]
    if file:
        try:
            return Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}_file: cannot read {file}: {error}") from error
    return None


class LedgerSettings(_Strict, frozen=True, kw_only=True):
    """Which database holds the ledger. `ca_file` verifies a server on another machine."""

    url: str | None = None  #: default: SQLite in `data`
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse a password where everybody who may read the settings sees it."""
        if self.url and "@" in self.url and ":" in self.url.partition("://")[2].rpartition("@")[0]:
            raise ValueError("the url names a password; write it to password_file instead")

    def password(self) -> str | None:
        """Read the password from where the settings point; `SettingsError` names the place."""
        return _secret("ledger.password", self.password_env, self.password_file)


class TelemetrySettings(_Strict, frozen=True, kw_only=True):
    """Where readings are kept: a file in `data` (`sqlite`), or an InfluxDB 2 server (`influx`).

    `bucket` begins the names of the three buckets that `forewarn setup influx` makes.
    """

    store: Literal["sqlite", "influx"] = "sqlite"
    url: str = "http://127.0.0.1:8086"
    org: str = "forewarn"
    bucket: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,40}$")] = "forewarn"
    token_file: str | None = None
    token_env: str | None = None
    gzip: bool = False  #: worth it over a network, not on loopback
    slowest_kb_s: Annotated[int, msgspec.Meta(ge=1)] = 32  #: a way there so slow is waited for
    raw_days: Annotated[int, msgspec.Meta(ge=0)] = 90  #: 0: for ever
    minute_days: Annotated[int, msgspec.Meta(ge=0)] = 730
    queue_mb: Annotated[int, msgspec.Meta(ge=1)] = 40  #: readings waiting in memory
    spool_mb: Annotated[int, msgspec.Meta(ge=1)] = 4096  #: and on disk, while the server is away

    def __post_init__(self) -> None:
        """Refuse an address that is none, and a token sent in the clear to another machine."""
        if not _reachable(self.url):
            raise ValueError(f"url: '{self.url}' is not an http or https address")
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("url: the token would cross the network in the clear; use https")
        if self.minute_days and (not self.raw_days or self.minute_days < self.raw_days):
            raise ValueError("minute_days: minutes must stay at least as long as raw readings")

    def token(self) -> str:
        """Return the token; `SettingsError` says where it was looked for."""
        found = (_secret("telemetry.token", self.token_env, self.token_file) or "").strip()
        if not found:
            raise SettingsError("telemetry.token_file or token_env: InfluxDB needs a token")
        if not (found.isascii() and found.isprintable()):
            where = "env" if self.token_env else "file"
            raise SettingsError(
                f"telemetry.token_{where}: a token has only printable characters of ASCII, "
                "in one line"
            )
        return found


def _reachable(url: str) -> bool:
    """Whether a request can be made to an http or https address."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        ported = parts.port != 0
    except ValueError:
        return False
    written = parts.path.isascii() and url.isprintable() and " " not in url
    return bool(parts.scheme in {"http", "https"} and host and ported and written)


class LogSettings(_Strict, frozen=True, kw_only=True):
    """How the service writes down what it does, on its standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ApiSettings(_Strict, frozen=True, kw_only=True):
    """Where pages and API listen, and under which address people reach them.

    `cert_file` and `key_file` are for TLS of our own; else a proxy with TLS stands in front, at
    one of the addresses `proxies`, whose word about the caller's address and scheme is taken.
    """

    host: str = "127.0.0.1"
    port: int = 8470
    public_url: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    def __post_init__(self) -> None:
        """Refuse what would send passwords over a network in the clear."""
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        public = urlsplit(self.public_url or "")
        if self.public_url is not None and (
            public.scheme not in ("http", "https") or not public.hostname or public.path.strip("/")
        ):
            raise ValueError(
                f"public_url '{self.public_url}': write https://host or https://host:port"
            )
        if not self.reachable:
            return
        if self.public_url is None:
            raise ValueError(
                f"'{self.host}' is reachable from other machines: say under which address people "
                "reach it (public_url), or use 127.0.0.1, ::1 or localhost"
            )
        if public.scheme != "https":
            raise ValueError(
                f"public_url '{self.public_url}': other machines must not reach it without TLS: "
                "give cert_file and key_file, or put a proxy with TLS in front; write https://"
            )

    @property
    def reachable(self) -> bool:
        """Whether other machines reach it, directly or through a proxy."""
        public = urlsplit(self.public_url or "").hostname
        return not (is_loopback(self.host) and (public is None or is_loopback(public)))


class ChannelSettings(_Strict, frozen=True, kw_only=True):
    """One way to reach people: an apprise URL, from a file or an environment variable."""

    name: str
    url_env: str | None = None
    url_file: str | None = None
    language: Literal["en", "zh"] = "en"

    def __post_init__(self) -> None:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either url_env or url_file")


class NotifySettings(_Strict, frozen=True, kw_only=True):
    """Who is told. Without channels alerts go to the log only."""

    channels: tuple[ChannelSettings, ...] = ()
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")


class LimitSettings(_Strict, frozen=True, kw_only=True):
    """How much of one device and one tenant is taken a second; 0 means no limit."""

    device_messages_per_s: Annotated[float, msgspec.Meta(ge=0)] = 1_000.0
    device_values_per_s: Annotated[float, msgspec.Meta(ge=0)] = 1_000_000.0
    tenant_values_per_s: Annotated[float, msgspec.Meta(ge=0)] = 10_000_000.0
    burst_s: Annotated[float, msgspec.Meta(ge=1)] = 5.0
    free_disk_percent: Annotated[float, msgspec.Meta(ge=0, le=50)] = 5.0


class CloudSettings(_Strict, frozen=True, kw_only=True):
    """Everything `forewarn serve` needs. `data` holds journal, stores and snapshots."""

    data: str = "var/cloud"
    snapshot_s: float = 60.0
    journal_segment_mb: int = 64
    ledger: LedgerSettings = LedgerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    log: LogSettings = LogSettings()
    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    notify: NotifySettings = NotifySettings()
    limits: LimitSettings = LimitSettings()
    detectors: Mapping[str, tuple[str, ...]] = {}  #: profile -> plug-in detectors, see that module


def secrets_of(settings: CloudSettings) -> list[str]:
    """Return the secrets that can be read now, so that nobody writes them down."""
    channels = settings.notify.channels
    readers: list[Callable[[], str | None]] = [
        settings.broker.password,
        settings.ledger.password,
        settings.telemetry.token,
        *(partial(_secret, one.name, one.url_env, one.url_file) for one in channels),
    ]
    found = []
    for read in readers:
        with contextlib.suppress(SettingsError):
            found.append(read())
    return [secret for secret in found if secret]


def load(path: Path) -> CloudSettings:
    """Read and check a file; `SettingsError` names file, line and key."""
    try:
        return parse(path.read_text("utf-8"), CloudSettings, str(path))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except TomlError as error:
        raise SettingsError(str(error)) from error
