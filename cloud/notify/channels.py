"""Ways to reach people: apprise URLs, and a file of JSON lines that is always there."""

import importlib
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

import msgspec

from cloud.errors import SettingsError
from cloud.notify.texts import Language, Text
from cloud.settings import ChannelSettings, NotifySettings

CONNECT_S: Final = 4.0
READ_S: Final = 8.0
ID_HEADER: Final = "webhook-id"  #: where a channel has headers, receivers know a repeat by it
LOG: Final = "log"


class NotSent(Exception):
    """A channel did not take a message; the text says why, without secrets."""


class Channel(Protocol):
    """One way to reach people. `send` blocks, and raises `NotSent`."""

    @property
    def name(self) -> str:
        """What the settings call it."""
        ...

    @property
    def languages(self) -> Sequence[Language]:
        """Languages of the texts that it wants."""
        ...

    @property
    def fallback(self) -> bool:
        """Whether it is used only when the others have failed for a while."""
        ...

    def send(self, batch_id: str, texts: Mapping[Language, Text]) -> None:
        """Hand over one message; it may come again with the same `batch_id`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A channel over which people are told, without its secrets."""

    name: str
    languages: tuple[str, ...]
    fallback: bool


class LogChannel:
    """Writes each message as one JSON line, flushed to disk."""

    def __init__(
        self, path: Path, languages: Sequence[Language] = ("en", "zh"), *, fallback: bool = False
    ) -> None:
        self.name = LOG
        self.languages = languages
        self.fallback = fallback
        self._path = path

    def send(self, batch_id: str, texts: Mapping[Language, Text]) -> None:
        """Append one line."""
        line = msgspec.json.encode({"id": batch_id, **msgspec.to_builtins(texts)}) + b"\n"
        try:
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotSent(f"cannot write {self._path}: {error.strerror}") from error


def _apprise() -> ModuleType:
    """Return apprise; it loads 170 services, so only those who use it wait for it."""
    if "apprise" in sys.modules:
        return sys.modules["apprise"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it probes old modules of Python
        module = importlib.import_module("apprise")
        module.NotificationManager().load_modules()
        return module


class AppriseChannel:
    """Sends through apprise: mail, webhooks, chat services. The URL holds secrets: never shown."""

    def __init__(self, name: str, url: str, language: Language) -> None:
        self.name = name
        self.languages: tuple[Language, ...] = (language,)
        self.fallback = False
        self._url = url
        self._plugin()  # a wrong URL is found at the start, not at the first alert

    def _plugin(self) -> Any:
        apprise = _apprise()
        asset = apprise.AppriseAsset(
            app_id="forewarn", allow_templates=False, storage_mode="memory", async_mode=False
        )
        plugin = apprise.Apprise.instantiate(self._url, asset=asset)
        if plugin is None:
            raise SettingsError(
                f"notify.channels '{self.name}': not a URL that apprise knows, for example "
                "mailtos://user:password@host?to=a@b.c or jsons://host/path"
            )
        plugin.socket_connect_timeout = CONNECT_S
        plugin.socket_read_timeout = READ_S
        return plugin

    def send(self, batch_id: str, texts: Mapping[Language, Text]) -> None:
        """Send one message in the channel's language."""
        apprise = _apprise()
        plugin = self._plugin()
        if hasattr(plugin, "headers"):
            plugin.headers[ID_HEADER] = batch_id
        sender = apprise.Apprise(asset=plugin.asset)
        sender.add(plugin)
        heard: list[str] = []
        text = texts[self.languages[0]]
        sent = sender.notify(
            body=text.body,
            title=text.title,
            body_format="text",
            log_callback=lambda entry, _plugin: heard.append(str(entry.message)),
        )
        if not sent:
            raise NotSent(heard[-1] if heard else "not taken")


def channels_from(settings: NotifySettings, folder: Path) -> list[Channel]:
    """Return the channels of the settings, with the log as their fallback.

    Without any, the log `alerts.jsonl` in `folder` is the channel. Raises `SettingsError` naming
    the channel whose URL is missing or wrong.
    """
    log = LogChannel(folder / "alerts.jsonl", settings.languages, fallback=bool(settings.channels))
    named: list[Channel] = [
        AppriseChannel(one.name, _url(one), one.language) for one in settings.channels
    ]
    names = [one.name for one in settings.channels]
    if len({*names, LOG}) != len(names) + 1:
        raise SettingsError("notify.channels: each needs a name of its own, and none may be 'log'")
    return [*named, log]


def _url(channel: ChannelSettings) -> str:
    where = f"notify.channels '{channel.name}'"
    if channel.url_env is not None:
        url = os.environ.get(channel.url_env, "")
        if not url:
            raise SettingsError(f"{where}: set the environment variable {channel.url_env}")
        return url
    try:
        return Path(channel.url_file or "").read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{where}: cannot read {channel.url_file}: {error.strerror}") from error
