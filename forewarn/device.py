"""`forewarn device [setup|add|remove|list]`: which machines that are not here may connect."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from cloud.accounts import certificates, mosquitto
from cloud.errors import CloudError, Refused
from forewarn.client import ServiceError
from forewarn.directly import Settings, actor, ledger_of, now_ns, settings_of
from forewarn.tables import AsJson, print_json, print_table, run

app = typer.Typer(
    help="The broker's files, and which devices may connect.",
    add_completion=False,
    no_args_is_help=True,
)
FOLDER: Final = Path("/etc/forewarn/broker")
Folder = Annotated[
    Path, typer.Option("--broker", metavar="FOLDER", help="where the broker's files are")
]
Device = Annotated[str, typer.Argument(metavar="TENANT.DEVICE", help="its id")]
RELOAD: Final = "Let Mosquitto read the file again: systemctl reload mosquitto, or kill -HUP."


@app.command()
def setup(
    host: Annotated[
        list[str], typer.Option(help="name or address at which devices reach the broker")
    ],
    broker: Folder = FOLDER,
    port: Annotated[int, typer.Option(min=1, max=65535, help="of the broker, for devices")] = 8883,
    service_port: Annotated[
        int, typer.Option(min=1, max=65535, help="of the broker, for the service, on loopback")
    ] = 8884,
) -> None:
    """Write what Mosquitto needs: configuration, certificates, access lists, passwords."""
    with _told():
        if (broker / "mosquitto.conf").exists():
            raise ServiceError(
                f"{broker}/mosquitto.conf is there already; name another folder, or move this one "
                "away (devices trust its ca.pem)"
            )
        issuer = certificates.authority(now_ns())
        made = certificates.broker(issuer, [*host, "localhost", "127.0.0.1"], now_ns())
        broker.mkdir(parents=True, exist_ok=True, mode=0o755)
        where = str(broker.resolve())
        _write_certificates(broker, issuer, made)
        _write_accounts(broker)
        text = mosquitto.configuration(where, port, service_port)
        _write(broker / "mosquitto.conf", text.encode(), 0o644)
    print(
        f"written to {where}. Mosquitto must be able to read it (chown -R mosquitto), then:\n"
        f"  mosquitto -c {where}/mosquitto.conf\n\n"
        f"In cloud.toml:\n\n"
        f'[broker]\nhost = "localhost"\nport = {service_port}\nusername = "{mosquitto.SERVICE}"\n'
        f'password_file = "{where}/service.password"\nca_file = "{where}/ca.pem"\n\n'
        f"Devices need ca.pem. Keep ca.key elsewhere: only the next certificate needs it."
    )


@app.command()
def add(
    device: Device,
    broker: Folder = FOLDER,
    settings: Settings = None,
    time: Annotated[
        Literal["wall", "data"],
        typer.Option(help="wall, or data for a replay or a simulation with its own clock"),
    ] = "wall",
    *,
    as_json: AsJson = False,
) -> None:
    """Register a device and print its password, once; again: a new password."""
    with _told():
        mosquitto.check_identity(device)
        password = mosquitto.new_password()
        known = _passwords(broker)
        with ledger_of(settings_of(settings)) as ledger:
            ledger.device_add(device, clock=time, actor=actor())
        line = mosquitto.password_line(device, password)
        _change(known, lambda text: mosquitto.with_user(text, line))
    if as_json:
        print_json({"device": device, "username": device, "password": password, "time": time})
        return
    tenant, _, name = device.partition(".")
    print(
        f"{device} is registered. Its password is shown this once:\n\n  {password}\n\n"
        f'In its edge.toml:\n\ntenant = "{tenant}"\ndevice = "{name}"\ntime = "{time}"\n\n'
        f'[broker]\nhost = "…"\nport = 8883\nusername = "{device}"\n'
        f'password_file = "/etc/forewarn/password"\nca_file = "/etc/forewarn/ca.pem"\n\n{RELOAD}'
    )


@app.command()
def remove(device: Device, broker: Folder = FOLDER, settings: Settings = None) -> None:
    """Take a device's registration and password back; its readings stay."""
    with _told():
        with ledger_of(settings_of(settings)) as ledger:
            ledger.device_remove(device, actor=actor())
        _change(_passwords(broker), lambda text: mosquitto.without_user(text, device))
    print(
        f"{device} is removed: the service takes nothing more of it within 10 s. {RELOAD} "
        "A connection that stands is cut at the broker's next restart."
    )


@app.command("list")
def list_devices(
    broker: Folder = FOLDER, settings: Settings = None, *, as_json: AsJson = False
) -> None:
    """List the registered devices, and whether they have a password."""
    with _told():
        with ledger_of(settings_of(settings)) as ledger:
            known = ledger.devices_registered()
        path = broker / "devices.passwd"
        named = set(mosquitto.users(path.read_text("utf-8"))) if path.exists() else set()
    rows = [(name, clock, name in named) for name, clock in sorted(known.items())]
    if as_json:
        print_json([{"device": d, "time": clock, "password": has} for d, clock, has in rows])
        return
    lines = ((d, clock, "yes" if has else "no") for d, clock, has in rows)
    print_table(("device", "time", "password"), lines, none="no device is registered")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say what is wrong with names, files and stores in one way."""
    try:
        yield
    except Refused as error:
        raise ServiceError(error.detail) from error
    except (CloudError, OSError) as error:
        raise ServiceError(str(error)) from error


def _passwords(broker: Path) -> Path:
    """Return the devices' password file, before anything is changed."""
    path = broker / "devices.passwd"
    if not path.exists():
        raise ServiceError(
            f"there is no {path}: make the broker's files with forewarn device setup, or name "
            "their folder with --broker"
        )
    return path


def _change(path: Path, change: Callable[[str], str]) -> None:
    """Write the devices' password file anew."""
    _write(path, change(path.read_text("utf-8")).encode(), path.stat().st_mode & 0o777)


def _write_certificates(
    broker: Path, issuer: certificates.Issued, made: certificates.Issued
) -> None:
    _write(broker / "ca.pem", issuer.pem(), 0o644)
    _write(broker / "ca.key", issuer.key_pem(), 0o600)
    _write(broker / "broker.pem", made.pem(), 0o644)
    _write(broker / "broker.key", made.key_pem(), 0o600)


def _write_accounts(broker: Path) -> None:
    """Write the service's password, who may log in, and who may say and hear what."""
    password = mosquitto.new_password()
    line = mosquitto.password_line(mosquitto.SERVICE, password)
    _write(broker / "service.password", password.encode(), 0o600)
    _write(broker / "service.passwd", f"{line}\n".encode(), 0o600)
    _write(broker / "devices.passwd", b"", 0o600)
    _write(broker / "devices.acl", mosquitto.DEVICES_ACL.encode(), 0o600)
    _write(broker / "service.acl", mosquitto.SERVICE_ACL.encode(), 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file in one step, so that the broker never reads half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101
        if path.exists():
            with contextlib.suppress(PermissionError):
                known = path.stat()
                os.chown(name, known.st_uid, known.st_gid)
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "device", arguments)
