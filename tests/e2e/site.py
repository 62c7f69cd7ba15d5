"""A broker as `forewarn device setup` makes it: TLS, passwords, access lists."""

import json
import os
import subprocess
import sys
from pathlib import Path

from cloud.accounts.mosquitto import password_line
from forewarn.broker import find_mosquitto, free_port
from tests.e2e.parts import Part

OBSERVER = "observer"
PASSWORD = "a password of the test"


class Site:
    """The broker's folder, its ports, and the passwords of its devices."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", listen: str | None = None) -> None:
        self.folder = folder / "broker"
        self.settings = folder / "site.toml"
        self.data = folder / "data"
        self.data.mkdir()
        self.settings.write_text(f'data = "{self.data}"\n')
        self.port, self.service_port = free_port(), free_port()
        self.run(
            "setup", "--host", host, "--port", str(self.port),
            "--service-port", str(self.service_port), settings=False,
        )  # fmt: skip
        self.ca = self.folder / "ca.pem"
        self.passwords: dict[str, str] = {}
        self.config = self.folder / "mosquitto.conf"
        if listen:
            text = self.config.read_text()
            self.config.write_text(text.replace(f"{self.port}\n", f"{self.port} {listen}\n", 1))
        if os.geteuid() == 0:  # else the broker gives up root and may not read our files
            self.config.write_text("user root\n" + self.config.read_text())

    def run(self, *words: str, settings: bool = True) -> str:
        """Run a verb of `forewarn device` and return what it prints."""
        more = ["--broker", str(self.folder)]
        if settings:
            more += ["--settings", str(self.settings)]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "forewarn",
                "device",
                *words,
                "--broker",
                str(self.folder),
                *more,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, device: str, *more: str) -> str:
        """Add a device and return its password."""
        password = str(json.loads(self.run("add", device, "--json", *more))["password"])
        self.passwords[device] = password
        return password

    def watched(self) -> None:
        """Let an observer of the test read and write everything on the service's listener."""
        with (self.folder / "service.passwd").open("a") as file:
            file.write(password_line(OBSERVER, PASSWORD) + "\n")
        with (self.folder / "service.acl").open("a") as file:
            file.write(f"user {OBSERVER}\ntopic readwrite #\ntopic readwrite $SYS/#\n")

    def broker(self) -> Part:
        """Return the broker."""
        program = find_mosquitto()
        assert program
        return Part([program, "-c", str(self.config)], self.folder / "broker.log", ready="running")
