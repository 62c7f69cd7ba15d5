"""HTTP to InfluxDB 2: writes as one buffer over a pooled connection, and InfluxQL answers.

InfluxQL over the compatibility endpoint answers in a tenth of Flux's time, row by row and in
MessagePack, where every bit of a double and of an int64 comes back. Buckets, tasks and deletions go
through influxdb-client (`setup`).
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from cloud.errors import StoreBusy, StoreError
from cloud.telemetry.influx.grid import Grid
from cloud.telemetry.influx.wire import SLOWEST_KB_S, Late, Wire

LONGEST_ASKED_S: Final = 60.0  #: longer than this nobody waits because a server says so
CONNECTIONS: Final = 8  #: to a server that stay open while nobody asks
GZIP_LEVEL: Final = 1
QUICK_BYTES: Final = 1_400  #: a body that fits one packet is not worth compressing
_REJECTED: Final = {400, 413, 422}
_SAID: Final = 500


class Away(StoreBusy):
    """The server cannot be reached or cannot take more now. `wait_s`: what it asked for."""

    def __init__(self, text: str, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s


def unanswered(url: str, error: Exception) -> str:
    """Say that nothing answered at the address of the settings."""
    return (
        f"telemetry.url: {url}: no answer ({type(error).__name__}); start InfluxDB there, or mend "
        "the address"
    )


class TooSlow(Away):
    """The server did not get through what it was given in the time that it gives itself."""


class Rejected(StoreError):
    """The server understood and refused (some of) the lines."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where InfluxDB is and who we are there. `token` is a secret: it never stands in a text."""

    url: str
    org: str
    token: str
    gzip: bool = False
    slowest_kb_s: int = SLOWEST_KB_S

    def __repr__(self) -> str:
        return f"Server({self.url}, {self.org})"


class Table(msgspec.Struct, dict=True):
    """One series of an answer: its tags, column names (time first, ns) and rows."""

    columns: tuple[str, ...]
    values: msgspec.Raw = msgspec.Raw(b"\x90")
    tags: dict[str, str] = {}

    @cached_property
    def rows(self) -> list[list[Any]]:
        """The rows as lists, for answers with texts and those that are short."""
        return msgspec.msgpack.decode(self.values, type=list[list[Any]])

    @cached_property
    def grid(self) -> Grid:
        """The rows as arrays."""
        return Grid.read(self.columns, self.values)


class _Result(msgspec.Struct):
    series: list[Table] = []
    error: str | None = None


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str | None = None


class _Said(msgspec.Struct):
    code: str = ""
    message: str = ""


class Connection:
    """A pool of connections to one server. Safe from any thread."""

    def __init__(self, server: Server) -> None:
        self.server = server
        headers = {"Authorization": f"Token {server.token}"}
        self._wire = Wire(server.url, headers, size=CONNECTIONS, slowest_kb_s=server.slowest_kb_s)
        self._decoder = msgspec.msgpack.Decoder(_Answer)
        self._late = False  #: the server was, with the request before

    def write(self, bucket: str, body: bytes | memoryview) -> None:
        """Store lines. `Away`, `TooSlow`, `Rejected`, `StoreBusy` (settings are wrong)."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.server.gzip and len(body) > QUICK_BYTES:
            body = gzip.compress(body, GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        fields = {"org": self.server.org, "bucket": bucket, "precision": "ns"}
        self._request("POST", "/api/v2/write", fields, body, headers, done=204)

    def query(self, bucket: str, statements: Sequence[str]) -> list[list[Table]]:
        """Run InfluxQL statements; return each one's series. `Away`, `Rejected`, `StoreBusy`."""
        if not statements:
            return []
        headers = {
            "Accept": "application/x-msgpack",
            "Content-Type": "application/vnd.influxql",
        }
        fields = {"org": self.server.org, "db": bucket, "rp": "autogen", "epoch": "ns"}
        data = self._request("POST", "/query", fields, ";".join(statements).encode(), headers)
        try:
            answer = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a proxy's page, a torn answer
            raise Away(f"{self.server.url}: what it answered is not InfluxDB's") from error
        if answer.error:
            raise StoreBusy(f"{self.server.url}: {answer.error}")
        out = []
        for result in answer.results:
            if result.error:
                raise StoreBusy(f"{self.server.url}: {result.error}{_way_out(result.error)}")
            out.append(result.series)
        if len(out) != len(statements):
            raise Away(f"{self.server.url}: answered {len(out)} of {len(statements)} questions")
        return out

    def healthy(self) -> bool:
        """Whether the server answers and is ready."""
        try:
            self._request("GET", "/health", {}, b"", {})
        except StoreError:
            return False
        return True

    def _request(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | memoryview,
        headers: Mapping[str, str],
        *,
        done: int = 200,
    ) -> bytes:
        """Return the answer; one with a status other than `done` is an error."""
        try:
            answer = self._wire.request(method, f"{path}?{urlencode(fields)}", headers, body)
        except (OSError, HTTPException, ValueError) as error:  # the last: of names and headers
            again, self._late = self._late, isinstance(error, Late)
            kind = TooSlow if again and self._late else Away
            text = str(error) if self._late else f"no answer ({type(error).__name__})"
            raise kind(f"{self.server.url}: {text}") from error
        self._late = False
        if answer.status == done:
            return answer.data
        raise self._refusal(*answer)

    def _refusal(self, status: int, data: bytes, after: str | None) -> StoreError:
        try:
            said = msgspec.json.decode(data, type=_Said)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = _Said(message=data[:_SAID].decode(errors="replace"))
        where = self.server.url
        if status in _REJECTED:
            return Rejected(status, said.message)
        if status in {401, 403}:
            return StoreBusy(
                f"{where}: the token is not accepted ({status}); it needs to read and write the "
                f"buckets in organisation '{self.server.org}'"
            )
        if status == 404:
            return StoreBusy(f"{where}: {said.message[:_SAID]}{_way_out('not found')}")
        told = f"{where}: answered {status}: {said.message[:_SAID]}"
        if status == 500 and "timeout" in said.message:
            return TooSlow(told)
        return Away(told, _seconds(after))

    def end(self) -> None:
        """End what is under way, from another thread: `Away` there."""
        self._wire.end()

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()


def _seconds(after: str | None) -> float | None:
    """Return for how long a server asks to be left alone, where it says so in seconds."""
    if after and after.isascii() and after.isdecimal():
        return min(float(after), LONGEST_ASKED_S)
    return None


def _way_out(said: str) -> str:
    """Return what to do about what the server said, if we know."""
    return "; `forewarn setup influx` makes the buckets" if "not found" in said else ""
