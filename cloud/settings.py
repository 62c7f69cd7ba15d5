"""The service's settings: one TOML, read once, checked before anything is opened.

`deploy/cloud.toml` is the documented sample and holds the defaults. Secrets are named by file or
environment variable, never written inline.
"""

import contextlib
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cloud.errors import SettingsError
from models.toml import TomlError, parse


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


class LogSettings(_Strict, frozen=True, kw_only=True):
    """How the service writes down what it does, on its standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ApiSettings(_Strict, frozen=True, kw_only=True):
    """Where the HTTP API listens."""

    host: str = "127.0.0.1"
    port: int = 8470
    public_url: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would be reachable from other machines: there are no accounts yet."""
        name = self.host
        loopback = name == "localhost"
        with contextlib.suppress(ValueError):
            loopback = loopback or ipaddress.ip_address(name).is_loopback
        if not loopback:
            raise ValueError(
                f"'{name}' is reachable from other machines, and there are no accounts yet: "
                "use 127.0.0.1, ::1 or localhost"
            )


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
    device_values_per_s: Annotated[float, msgspec.Meta(ge=0)] = 200_000.0
    tenant_values_per_s: Annotated[float, msgspec.Meta(ge=0)] = 5_000_000.0
    burst_s: Annotated[float, msgspec.Meta(ge=1)] = 30.0
    free_disk_percent: Annotated[float, msgspec.Meta(ge=0, le=50)] = 5.0


class CloudSettings(_Strict, frozen=True, kw_only=True):
    """Everything `forewarn serve` needs. `data` holds journal, stores and snapshots."""

    data: str = "var/cloud"
    snapshot_s: float = 60.0
    journal_segment_mb: int = 64
    ledger: LedgerSettings = LedgerSettings()
    log: LogSettings = LogSettings()
    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    notify: NotifySettings = NotifySettings()
    limits: LimitSettings = LimitSettings()


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
