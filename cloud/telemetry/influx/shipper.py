"""The thread that brings what waits to the server: merge, build, note, send, and again.

A server that is away or busy is tried again with growing, jittered pauses, without end: what waits
lies in the spool. What the server refuses is narrowed down to single lines, which are handed to the
quarantine with the server's reason; all others are stored. What takes the server too long goes to
it in halves.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from cloud.errors import StoreBusy, StoreError
from cloud.telemetry import Passing
from cloud.telemetry.influx import names
from cloud.telemetry.influx.http import Away, Connection, Rejected, TooSlow
from cloud.telemetry.influx.log import Copied, ShipmentLog
from cloud.telemetry.influx.setup import Buckets
from cloud.telemetry.influx.shipment import Builder, Shipment
from cloud.telemetry.influx.spool import Spool
from models.rows import Block

MERGED_VALUES: Final = 350_000  #: so many go into one shipment, and the rest of a group
MERGED_BLOCKS: Final = 10_000  #: or so many blocks, and the rest of a group: each needs own lines
LINGER_S: Final = 0.2  #: how long a small shipment waits for more, unless somebody waits for it
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
POSITION_EVERY: Final = 64  #: shipments between two notes of the position in the server
BODY_BYTES: Final = 8 << 20
LOOK_BYTES: Final = 4_096  #: looked through at once for the end of a line
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that the server does not take, with its reason."""

    line: bytes
    reason: str


class Shipper:
    """Owns the thread. `pass_on` gets the refused lines."""

    def __init__(
        self,
        *,
        connection: Connection,
        builder: Builder,
        spool: Spool,
        shipments: ShipmentLog,
        buckets: Buckets,
        pass_on: Callable[[Sequence[Refused]], None],
        position: int,
    ) -> None:
        self._connection = connection
        self._builder = builder
        self._spool = spool
        self._shipments = shipments
        self._buckets = buckets
        self._pass_on = pass_on
        self._rng = np.random.default_rng()
        self._moved = threading.Condition()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self.hands_on = threading.Lock()  #: held while a shipment is made and sent
        self.shipped = position
        self.noted = -1  #: position that the server knows
        self.trouble: str | None = None
        self.failure: Exception | None = None
        self.refused = 0
        self.target = position
        self._repeat = shipments.last
        self._repeat_to = position  #: what is stored when it is
        self._since_noted = 0
        self._thread = threading.Thread(target=self._run, name="influx", daemon=True)

    def start(self) -> None:
        """Begin; first of all what was in hand when the process before ended."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Ship what waits if that takes no longer than `wait_s`, then end."""
        self.settle(self.target, wait_s)
        self._stop.set()
        self._wake.set()
        self._connection.end()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self, target: int) -> None:
        """Say that the spool now reaches `target`."""
        self.target = target
        self._wake.set()

    def settle(self, target: int, wait_s: float) -> bool:
        """Wait until everything up to a position is stored, unless the server is in trouble."""
        self._hurry.set()
        with self._moved:
            return self._moved.wait_for(
                lambda: (
                    (self.shipped >= target and self._repeat is None)
                    or self.trouble is not None
                    or not self._thread.is_alive()
                ),
                wait_s,
            ) and (self.shipped >= target and self._repeat is None)

    def open_minute(self, machine: str) -> int | None:
        """Return up to where the server has a machine's minutes; None where that is not known now.

        Nobody waits for it: while a shipment is made and sent the server is to be asked.
        """
        if not self.hands_on.acquire(blocking=False):
            return None
        try:
            return self._builder.open_minute(machine) if self._repeat is None else None
        finally:
            self.hands_on.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._once():
                    self._wake.wait()
                    self._wake.clear()
            except StoreError as error:
                # While stopping: the journal has what waits. Else what is in hand is sent again.
                log.warning("telemetry store: %s", error)
                self._stop.wait(FIRST_WAIT_S)
            except Exception as error:
                log.exception("the writer of the telemetry store stopped")
                self.failure = error
                self._say(f"the writer stopped ({error!r}); start the service again")
                return

    def _once(self) -> bool:
        """Ship one shipment; False when nothing waits."""
        if self._repeat is not None:
            with self.hands_on, self._alone():
                self._send(self._repeat)
                self._let_go()
            self._arrived(self._repeat_to)
            return True
        first = self._spool.take()
        if first is None:
            return False
        blocks, position = first
        values, position = self._merge(blocks, _values(blocks), position)
        if _has_room(blocks, values) and not self._hurry.is_set():
            self._hurry.wait(LINGER_S)
            _, position = self._merge(blocks, values, position)
        self._hurry.clear()
        with self.hands_on, self._alone():
            shipment = self._again(lambda: self._builder.build(blocks, position))
            blocks.clear()  # what waits meanwhile takes as much
            self._again(lambda: self._shipments.note(shipment))
            self._repeat, self._repeat_to = shipment, position
            self._send(shipment)
            self._let_go()
            self._since_noted += 1
            if self._since_noted >= POSITION_EVERY:
                self.note_position(position)
        self._arrived(position)
        return True

    def _let_go(self) -> None:
        self._repeat = None
        self._builder.sent()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process copies what the server has, and keep it from that."""
        guard = self._again(self._shipments.seize)
        try:
            yield
        finally:
            os.close(guard)

    def _merge(self, blocks: list[Block], values: int, position: int) -> tuple[int, int]:
        """Add blocks that follow, as far as a shipment goes; return its values and position."""
        while _has_room(blocks, values) and (more := self._spool.take()):
            blocks += more[0]
            values += _values(more[0])
            position = more[1]
        return values, position

    def _arrived(self, position: int) -> None:
        with self._moved:
            self.shipped = position
            self._moved.notify_all()

    def _say(self, trouble: str | None) -> None:
        with self._moved:
            if trouble and self.trouble is None:
                level = logging.INFO if isinstance(trouble, Passing) else logging.ERROR
                log.log(level, "telemetry store: %s; readings wait", trouble)
            elif self.trouble and not trouble:
                log.info("telemetry store: back again")
            self.trouble = trouble
            self._moved.notify_all()

    def note_position(self, position: int) -> None:
        """Tell the server how far it is, for a service whose own folder is lost."""
        self._post(self._buckets.ever, names.position_line(position))
        self.noted = position
        self._since_noted = 0

    def send(self, shipment: Shipment) -> None:
        """Send a shipment from another thread, which holds `hands_on`; once, without patience."""
        for bucket, body in shipment.bodies:
            for part in _cut(body):
                self._connection.write(bucket, part)

    def _send(self, shipment: Shipment) -> None:
        for bucket, body in shipment.bodies:
            for part in _cut(body):
                self._post(bucket, part)

    def _post(self, bucket: str, body: bytes | memoryview) -> None:
        refused = self._stored(bucket, body)
        if refused:
            self.refused += len(refused)
            log.error(
                "%d lines refused by the telemetry store, the first with: %s",
                len(refused),
                refused[0].reason,
            )
            self._again(lambda: self._pass_on(refused))

    def _stored(self, bucket: str, body: bytes | memoryview) -> list[Refused]:
        """Store lines; return those that the server does not take."""
        end = _middle(body)
        tell = (Rejected, TooSlow) if end < len(body) else (Rejected,)
        try:
            self._again(lambda: self._connection.write(bucket, body), tell=tell)
        except Rejected as error:
            return self._narrow(bucket, body, error)
        except TooSlow:  # what of it is stored already is only stored again
            return [*self._stored(bucket, body[:end]), *self._stored(bucket, body[end:])]
        return []

    def _narrow(self, bucket: str, body: bytes | memoryview, error: Rejected) -> list[Refused]:
        """Find the lines that are refused and store the others; repeating one changes nothing."""
        lines = bytes(body).splitlines(keepends=True)
        if len(lines) == 1:
            return [Refused(lines[0].rstrip(b"\n"), error.reason)]
        quoted = [line for line in lines if f"'{line[:-1].decode()}'" in error.reason]
        if quoted:
            rest = b"".join(line for line in lines if line not in quoted)
            found = [Refused(line[:-1], error.reason) for line in quoted]
            return found + (self._stored(bucket, rest) if rest else [])
        half = len(lines) // 2
        return [
            *self._stored(bucket, b"".join(lines[:half])),
            *self._stored(bucket, b"".join(lines[half:])),
        ]

    def _again(self, action: Callable[[], T], *, tell: tuple[type[StoreError], ...] = ()) -> T:
        """Do something until the server (or the disk) lets it; errors of `tell` come through."""
        wait = FIRST_WAIT_S
        while True:
            try:
                done = action()
            except StoreError as error:
                if isinstance(error, tell):
                    self._say(str(error) if isinstance(error, TooSlow) else None)
                    raise
                if not self._stop.is_set():
                    self._say(Passing(error) if isinstance(error, Copied) else str(error))
                asked = error.wait_s if isinstance(error, Away) and error.wait_s else 0.0
                pause = max(asked, wait * float(self._rng.uniform(0.5, 1.0)))
                if self._stop.wait(pause):
                    raise StoreBusy("the store was closed while readings waited") from error
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                if self.trouble is not None:
                    self._say(None)
                return done


def _has_room(blocks: Sequence[Block], values: int) -> bool:
    """Return whether a shipment of these may have more."""
    return values < MERGED_VALUES and len(blocks) < MERGED_BLOCKS


def _values(blocks: Sequence[Block]) -> int:
    return sum([len(block.times_ns) * len(block.columns) for block in blocks])


def _cut(body: bytes | memoryview) -> Iterator[memoryview]:
    """Yield a long body in parts that end where lines end; no byte of it is copied."""
    rest = memoryview(body)
    while len(rest) > BODY_BYTES:
        end = _line_end(rest)
        yield rest[:end]
        rest = rest[end:]
    if len(rest):
        yield rest


def _middle(body: bytes | memoryview) -> int:
    """Return where the line ends that a body's middle lies in."""
    half = max(len(body) // 2 - 1, 0)
    for first in range(half, len(body), LOOK_BYTES):
        if found := bytes(body[first : first + LOOK_BYTES]).find(b"\n") + 1:
            return first + found
    return len(body)


def _line_end(body: memoryview) -> int:
    """Return where the last line of a part ends, or the first one where that is longer."""
    for end in range(BODY_BYTES, 0, -LOOK_BYTES):
        first = max(end - LOOK_BYTES, 0)
        if found := bytes(body[first:end]).rfind(b"\n") + 1:
            return first + found
    return BODY_BYTES + bytes(body[BODY_BYTES:]).find(b"\n") + 1
