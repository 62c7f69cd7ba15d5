"""The agent's settings: one TOML, read once, checked before anything is opened.

`deploy/edge.toml` is the documented sample and holds the defaults. Secrets are named by file or
environment variable, never written inline.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from edge_agent.drivers import find, names, names_signal
from edge_agent.errors import SettingsError
from models import plugins
from models.contract.messages import MachineRef
from models.contract.wire import ProfileName, Unit
from models.toml import TomlError, line_of, parse, place_of

#: Tenant and device: lower-case letters, digits and hyphens, at most 31 (part of every topic).
IdPart = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,30}$")]
MachineKey = Annotated[str, msgspec.Meta(pattern="^([a-z0-9][a-z0-9-]{0,30})?$")]
Stream = Literal["alarm", "live", "bulk", "backfill"]
MEMORY: Final = ":memory:"
NOT_A_NAME: Final = "give 1 to 120 printable characters, of a signal with its machine's key"
Policy = Literal["drop-oldest", "reject-new"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class BrokerSettings(_Strict, frozen=True, kw_only=True):
    """Where the MQTT broker is. `version` 5 is the default; 4 means MQTT 3.1.1."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    version: Literal[4, 5] = 5
    client_id: Literal["identity", "underscore"] = "identity"
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64

    @property
    def loopback(self) -> bool:
        """Whether the broker is on this computer."""
        return self.host in {"127.0.0.1", "::1", "localhost"}

    def files(self) -> dict[str, str | None]:
        """Return the files that are named, by their keys."""
        keys = ("password_file", "ca_file", "cert_file", "key_file")
        return {f"broker.{key}": getattr(self, key) for key in keys}

    def password(self) -> str | None:
        """Read the password from where the settings point; `SettingsError` names the place."""
        if self.password_env:
            if self.password_env not in os.environ:
                raise SettingsError(f"broker.password_env: {self.password_env} is not set")
            return os.environ[self.password_env]
        if self.password_file:
            try:
                return Path(self.password_file).read_text("utf-8").strip()
            except OSError as error:
                raise SettingsError(
                    f"broker.password_file: cannot read {self.password_file}: {error.strerror}"
                ) from error
        return None

    def tls(self) -> "ssl.SSLContext | None":
        """Return what TLS needs, None without it; `SettingsError` names the file that does not do.

        A key with a pass phrase is refused: nobody is there to be asked for it.
        """
        if not self.ca_file:
            return None
        at = f"broker.ca_file: {self.ca_file}"
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file:
                at = f"broker.cert_file: {self.cert_file}, {self.key_file}"
                context.load_cert_chain(self.cert_file, self.key_file, password="")
        except OSError as error:
            raise SettingsError(f"{at}: {error.strerror or error}") from error
        return context


class PolicySettings(_Strict, frozen=True, kw_only=True):
    """What a full outbox does with each stream's new readings."""

    alarm: Policy = "drop-oldest"
    live: Policy = "drop-oldest"
    bulk: Policy = "drop-oldest"
    backfill: Policy = "reject-new"


class OutboxSettings(_Strict, frozen=True, kw_only=True):
    """The readings that the cloud does not have yet, in one SQLite file of at most `max_mb`."""

    path: str = "var/agent/outbox.db"
    max_mb: Annotated[int, msgspec.Meta(ge=4, le=1_000_000)] = 256
    format: Literal["cbor", "json"] = "cbor"
    policy: PolicySettings = PolicySettings()


class CommandSettings(_Strict, frozen=True, kw_only=True):
    """Diagnostics asked for from far away. Without a key only over a broker on this computer."""

    accept: bool = True
    path: str | None = None  #: default: beside the outbox
    key_file: str | None = None


class MachineSettings(_Strict, frozen=True, kw_only=True):
    """A machine behind this device. The key "" is for a device with one machine only."""

    key: MachineKey = ""
    profile: ProfileName = "generic"
    name: str | None = None


class SignalSettings(_Strict, frozen=True, kw_only=True):
    """What is known of one signal of a source: UCUM unit, kind and normal range."""

    name: str
    unit: Unit | None = None
    kind: Literal["gauge", "counter", "state", "waveform", "consumable"] = "gauge"
    low: float | None = None
    high: float | None = None


class SourceSettings(_Strict, frozen=True, kw_only=True):
    """One driver and what it reads."""

    driver: str = "host"
    machine: MachineKey = ""
    stream: Stream = "live"
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 1.0
    options: Mapping[str, Any] = {}
    signals: tuple[SignalSettings, ...] = ()
    model: str | None = None  #: a trained model, NAME.onnx, that scores each reading


class Settings(_Strict, frozen=True, kw_only=True):
    """Everything `forewarn-agent run` needs."""

    tenant: IdPart = "acme"
    device: IdPart = "host"
    time: Literal["wall", "data"] = "wall"
    clock: Literal["auto", "none", "rtc", "ntp", "ptp"] = "auto"
    broker: BrokerSettings = BrokerSettings()
    outbox: OutboxSettings = OutboxSettings()
    commands: CommandSettings = CommandSettings()
    machines: tuple[MachineSettings, ...] = (MachineSettings(),)
    sources: tuple[SourceSettings, ...] = (SourceSettings(),)

    @property
    def identity(self) -> str:
        """`{tenant}.{device}`: the device's one level in every topic."""
        return f"{self.tenant}.{self.device}"

    @property
    def client_id(self) -> str:
        """The MQTT client id; with an underscore for brokers that refuse the dot."""
        if self.broker.client_id == "underscore":
            return f"{self.tenant}_{self.device}"
        return self.identity

    @property
    def commands_path(self) -> Path | None:
        """Where it is written down what became of each command; None: in memory."""
        if self.commands.path is not None:
            return Path(self.commands.path)
        outbox = Path(self.outbox.path)
        return (
            None if self.outbox.path == MEMORY else outbox.with_name(f"{outbox.stem}-commands.db")
        )

    def refs(self) -> dict[str, MachineRef]:
        """Return the machines as the birth lists them."""
        return {m.key: MachineRef(profile=m.profile, name=m.name) for m in self.machines}


def load(path: Path) -> Settings:
    """Read and check a file, `SettingsError` names file, line and key."""
    problems = check(path)
    if problems:
        raise SettingsError("\n".join(problems))
    return parse(path.read_text("utf-8"), Settings, str(path))


def check(path: Path, *, here: bool = False) -> list[str]:
    """Return what is wrong with a file, each with file, line and key; an empty list is good.

    With `here` the files that it names must be readable on this computer, those of TLS fit for it.
    """
    try:
        text = path.read_text("utf-8")
        settings = parse(text, Settings, str(path))
    except UnicodeDecodeError as error:
        return [f"{path}: is not UTF-8 text (byte {error.start})"]
    except OSError as error:
        return [f"{path}: cannot be read: {error.strerror}"]
    except TomlError as error:
        return [str(error)]
    found = [
        *_machines(settings),
        *(p for i, source in enumerate(settings.sources) for p in _source(settings, i, source)),
        *_tls(settings.broker),
    ]
    if here:
        found += _unreadable(settings) or _unfit(settings.broker)
    return [str(TomlError(str(path), line_of(text, key), key, words)) for key, words in found]


Problem = tuple[str, str]


def _machines(settings: Settings) -> list[Problem]:
    keys = [machine.key for machine in settings.machines]
    found = [
        (f"machines[{i}].key", f"'{key}' is already used by another machine")
        for i, key in enumerate(keys)
        if key in keys[:i]
    ]
    if "" in keys and len(keys) > 1:
        at = keys.index("")
        found.append((f"machines[{at}].key", "give every machine a key when there are several"))
    found += [
        (f"machines[{i}].name", NOT_A_NAME)
        for i, machine in enumerate(settings.machines)
        if machine.name is not None and not names_signal(machine.name)
    ]
    return found


def _source(settings: Settings, i: int, source: SourceSettings) -> list[Problem]:
    place = f"sources[{i}]"
    keys = [machine.key for machine in settings.machines]
    found: list[Problem] = []
    if source.machine not in keys:
        known = ", ".join(f"'{key}'" for key in keys)
        found.append((f"{place}.machine", f"'{source.machine}' is not a machine: use {known}"))
    prefix = f"{source.machine}/" if source.machine else ""
    found += [
        (f"{place}.signals[{n}].name", NOT_A_NAME)
        for n, signal in enumerate(source.signals)
        if not names_signal(prefix + signal.name)
    ]
    try:
        kind = find(source.driver)
    except plugins.UnknownPluginError:
        known = ", ".join(names())
        return [*found, (f"{place}.driver", f"there is no driver '{source.driver}': use {known}")]
    if source.model is not None and "model" in kind.Options.__struct_fields__:
        found.append((f"{place}.model", f"{source.driver} takes it under options, where it is run"))
    try:
        msgspec.convert(source.options, kind.Options)
    except msgspec.ValidationError as error:
        inner, words, unknown = place_of(error)
        if unknown:
            allowed = ", ".join(kind.Options.__struct_fields__)
            words = f"there is no such option of {source.driver}: use {allowed}"
        found.append((f"{place}.options.{inner}".rstrip("."), words))
    return found


def _unreadable(settings: Settings) -> list[Problem]:
    named = {"commands.key_file": settings.commands.key_file} | settings.broker.files()
    for i, source in enumerate(settings.sources):
        file = source.options.get("file")
        named[f"sources[{i}].options.file"] = file if isinstance(file, str) else None
        named[f"sources[{i}].model"] = source.model
    return [(key, words) for key, name in named.items() if (words := _unread(name))]


def _unread(name: str | None) -> str | None:
    """Return why a file cannot be read; None where it can be, or none is named."""
    try:
        if name is not None:
            Path(name).open("rb").close()
    except OSError as error:
        return f"cannot read {name}: {error.strerror}"
    return None


def _unfit(broker: BrokerSettings) -> list[Problem]:
    try:
        broker.tls()
    except SettingsError as error:
        key, _, words = str(error).partition(": ")
        return [(key, words)]
    return []


def _tls(broker: BrokerSettings) -> list[Problem]:
    found: list[Problem] = []
    if (broker.cert_file is None) != (broker.key_file is None):
        found.append(("broker.cert_file", "give cert_file and key_file together"))
    if broker.cert_file and not broker.ca_file:
        found.append(("broker.ca_file", "a certificate needs the broker's CA as well"))
    if broker.password_file and broker.password_env:
        found.append(("broker.password_file", "give either password_file or password_env"))
    return found
