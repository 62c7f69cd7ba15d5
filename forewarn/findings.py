"""What `forewarn doctor` finds, and the checks that service and device share."""

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from cryptography import x509

from cloud.settings import is_loopback

PAGE: Final = "docs/how-to/operate.md"
CONNECT_S: Final = 5.0
EXPIRES: Final = timedelta(days=30)
BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)  #: a clock before this is wrong

Level = Literal["problem", "advice"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong (`problem`) or could be better (`advice`), and what to do."""

    code: str
    level: Level
    what: str
    fix: str

    @property
    def page(self) -> str:
        """Where it is explained."""
        return f"{PAGE}#{self.code.lower()}"


Check = Callable[[], Iterable[Finding]]


class Broker(Protocol):
    """The settings of a broker, of the service or of a device."""

    @property
    def host(self) -> str:
        """Name or address."""
        ...

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    @property
    def ca_file(self) -> str | None:
        """What verifies the broker."""
        ...

    @property
    def cert_file(self) -> str | None:
        """Our certificate."""
        ...

    @property
    def key_file(self) -> str | None:
        """Its key."""
        ...

    @property
    def password_file(self) -> str | None:
        """File of the password."""
        ...


def problem(code: str, what: str, fix: str) -> Finding:
    """Return something that is wrong."""
    return Finding(code=code, level="problem", what=what, fix=fix)


def advice(code: str, what: str, fix: str) -> Finding:
    """Return something that could be better."""
    return Finding(code=code, level="advice", what=what, fix=fix)


def reaches(host: str, port: int) -> str | None:
    """Return why a TCP connection fails; None when it does not."""
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        return str(error)
    return None


def broker(settings: Broker, code: str) -> Iterator[Finding]:
    """Check that the broker is reached, and safely. Codes `…1` to `…3` of a row."""
    failed = reaches(settings.host, settings.port)
    if failed:
        yield problem(
            f"{code}1",
            f"the broker at {settings.host}:{settings.port} is not reached: {failed}",
            "start it, or mend broker.host and broker.port",
        )
    if settings.ca_file is None and not is_loopback(settings.host):
        yield problem(
            f"{code}2",
            f"messages go to {settings.host} in the clear",
            "give broker.ca_file, and let the broker listen with TLS",
        )
    for name in ("ca_file", "cert_file"):
        path = getattr(settings, name)
        if path is not None:
            yield from certificate(Path(path), f"broker.{name}", f"{code}3")


def certificate(path: Path, name: str, code: str) -> Iterator[Finding]:
    """Check that certificates can be read and are valid for a month."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield problem(
            code, f"{name}: {path} is no readable certificate: {error}", "name a PEM file"
        )
        return
    now = datetime.now(UTC)
    for one in found:
        ends = one.not_valid_after_utc
        subject = one.subject.rfc4514_string()
        if ends <= now or one.not_valid_before_utc > now:
            begins = one.not_valid_before_utc
            yield problem(
                code,
                f"{name}: {subject} is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, not now",
                "renew it, or set this computer's clock",
            )
        elif ends - now < EXPIRES:
            yield advice(
                code, f"{name}: {subject} ends on {ends:%Y-%m-%d}", "renew it before that day"
            )


def secret(path: str | None, name: str, code: str) -> Iterator[Finding]:
    """Check that a secret's file is read by its owner (and group) only."""
    if path is None:
        return
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        yield problem(code, f"{name}: {path}: {error.strerror}", "write the secret to that file")
        return
    if mode & stat.S_IRWXO:
        yield problem(
            code, f"{name}: everybody on this computer may read {path}", f"chmod o= {path}"
        )


def settings(path: Path, code: str, wrong: str, sample: str) -> Finding:
    """Return what is wrong with a settings file; one that is not there has no line to mend."""
    if path.is_file():
        return problem(code, wrong, f"mend what it names; {sample} explains each setting")
    return problem(code, wrong, "name the settings file: cloud.toml or edge.toml, with its folder")


def folder(path: Path, code: str) -> Iterator[Finding]:
    """Check that a folder is there (or can be made) and that we may write."""
    there = next((one for one in (path, *path.resolve().parents) if one.exists()), None)
    if there is None or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            code, f"{path}: cannot be written", "make the folder, and let this user own it"
        )


def room(path: Path, least: int, code: str, said: str) -> Iterator[Finding]:
    """Check that the disk below a folder has so many bytes free."""
    there = next(one for one in (path.resolve(), *path.resolve().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if free < least:
        yield problem(
            code,
            f"{path}: {free:,} bytes are free, {least:,} are needed {said}",
            "free some space, or use another disk",
        )


def clock(code: str) -> Iterator[Finding]:
    """Check that this computer's clock can be right."""
    now = datetime.now(UTC)
    if now < BUILT:
        yield problem(code, f"the clock says {now:%Y-%m-%d}", "set it; let it follow NTP")
        return
    follows = Path("/run/systemd/timesync")
    if follows.is_dir() and not (follows / "synchronized").exists():
        yield advice(code, "the clock does not follow NTP", "timedatectl set-ntp true")
