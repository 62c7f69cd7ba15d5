"""A real PostgreSQL on loopback, found by FOREWARN_POSTGRES, PATH or its known folder."""

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pg8000.dbapi
import pytest

from forewarn.broker import free_port

KNOWN = Path("/usr/lib/postgresql")
READY = b"database system is ready to accept connections"
FAST = {"fsync": "off", "full_page_writes": "off"}  # processes are killed here, not machines


def find_programs() -> Path | None:
    """Return the folder of initdb and postgres."""
    told = os.environ.get("FOREWARN_POSTGRES")
    on_path = shutil.which("initdb")
    known = sorted(KNOWN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    folders = [Path(told)] if told else [*([Path(on_path).parent] if on_path else []), *known]
    return next((one for one in folders if (one / "postgres").exists()), None)


class Postgres:
    """One server in a folder of its own. Its superuser has a password; nothing else listens."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._as: list[str] = []
        self._numbers = itertools.count()
        self.password = secrets.token_urlsafe(12)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        secret = folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        self._run(
            "initdb", "-D", str(folder / "data"), "-U", "forewarn", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C",
        )  # fmt: skip

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as, str(self._programs / program), *words]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start it on a free port (the same one at a restart); return when it takes connections."""
        if not self.port:
            self.port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            "max_connections": "60",
            **FAST,
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [*self._as, str(self._programs / "postgres"), "-D", str(self._folder / "data"), *words],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        said = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            raise AssertionError(b"".join(said).decode())
        threading.Thread(target=_drain, args=(self.process.stderr,), daemon=True).start()

    def stop(self, signal_name: str = "INT") -> None:
        """Stop it: INT at once but in order, QUIT without tidying up, KILL without warning."""
        if self.process is not None:
            # setpriv becomes postgres itself, so this is the server's own process
            self.process.send_signal(signal.Signals[f"SIG{signal_name}"])
            self.process.wait(120)
            self.process = None

    def sql(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        with contextlib.closing(
            pg8000.dbapi.connect(
                "forewarn", "127.0.0.1", "postgres", port=self.port, password=self.password
            )
        ) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://forewarn:{self.password}@127.0.0.1:{self.port}/{database}"

    def fresh(self, template: str = "template1") -> str:
        """Make a database and return its address."""
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


def _drain(stream: IO[bytes]) -> None:
    with stream:
        for _ in stream:
            pass


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """Start a server for the tests; skip where there is none, except in CI."""
    programs = find_programs()
    if programs is None:
        reason = "no PostgreSQL server: apt-get install postgresql, or set FOREWARN_POSTGRES"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    folder = Path(tempfile.mkdtemp(prefix="forewarn-pg-"))
    folder.chmod(0o755)
    server = Postgres(programs, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop("QUIT")  # hundreds of databases are thrown away: nothing needs to be written
        shutil.rmtree(folder, ignore_errors=True)
