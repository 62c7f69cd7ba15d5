"""What is past its retention, and by which clock."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from cloud.decode import BUILT_NS
from cloud.durable import read_checked, write_checked
from cloud.ledger import Ledger
from cloud.telemetry import TelemetryStore
from cloud.times import DAY, rfc3339

FILE: Final = "retention.json"
#: by which the time of deleting moves on from one look to the next at most
STEP: Final = 2 * DAY
APART: Final = DAY // 2  #: looks closer together, as at restarts, move nothing on
log = logging.getLogger(__name__)


class Look(msgspec.Struct, frozen=True):
    """The latest time that ever counted, and what the service's clock said then. ns since 1970."""

    until_ns: int
    at_ns: int


def believed(now_ns: int, told_ns: int) -> int | None:
    """Return the time by which something may be deleted as too old, ns since 1970 UTC.

    The service's clock `now_ns` alone deletes nothing: it must be borne out by `told_ns`, the
    newest time that a device gave by its own clock (0: none did). That is the clock's time while
    it is at most a day later, else `told_ns`; None when no device has told a time.
    """
    if not told_ns:
        return None
    return now_ns if now_ns <= told_ns + DAY else told_ns


def after(last: Look | None, until_ns: int, now_ns: int) -> int:
    """Return the time that counts at a look, where `until_ns` is believed.

    Clocks of the service and of devices may be wrong together (one wrong time server): so it moves
    on in steps, and what a jump would delete stays for as long as it takes people to set them.
    Back it goes at once.
    """
    if last is None:
        return until_ns
    again = 0 <= now_ns - last.at_ns < APART
    return min(until_ns, last.until_ns if again else last.until_ns + STEP)


def keeps(last: Look | None, counts_ns: int, now_ns: int) -> bool:
    """Return whether the look is one to go on from.

    One while a clock is behind is not: steps from there would take as long as it was behind. So a
    later one is never given up for it, and a first one is taken only where the service's clock
    counts and is set.
    """
    if last is None:
        return counts_ns == now_ns >= BUILT_NS
    return counts_ns > last.until_ns


class Retention:
    """Deletes readings and kept replies. `told`: the newest time that a device gave, 0 for none."""

    def __init__(
        self,
        ledger: Ledger,
        telemetry: TelemetryStore,
        folder: Path,
        now: Callable[[], int],
        told: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._telemetry = telemetry
        self._path = folder / FILE
        self._now = now
        self._told = told

    def readings(self) -> int | None:
        """Delete what is too old; return the time by which replies are, None for none.

        Raises:
            StoreError: a store is away.
        """
        until = self._until()
        count, data_time = self._machines()
        if until is None and len(data_time) < count:
            log.warning("retention: no device has told a time of its own, so nothing is deleted")
            return None
        self._telemetry.trim(until or 0, data_time)
        return until

    def _machines(self) -> tuple[int, list[str]]:
        """Return how many machines there are, and those on data time."""
        count, data_time, after_id = 0, [], None
        while True:
            rows, after_id = self._ledger.machines(after=after_id, limit=1000)
            count += len(rows)
            data_time += [row.id for row in rows if row.clock == "data"]
            if after_id is None:
                return count, data_time

    def _until(self) -> int | None:
        now = self._now()
        until = believed(now, self._told())
        if until is None:
            return None
        if until < now:
            log.warning("retention: no device's clock is past %s: that counts", rfc3339(until))
        last = self._last()
        counts = after(last, until, now)
        if until - counts >= APART:
            log.warning(
                "retention: clocks have gone on to %s since the last look; %s counts, two days "
                "more with each day",
                rfc3339(until),
                rfc3339(counts),
            )
        if keeps(last, counts, now):
            try:
                write_checked(self._path, msgspec.json.encode(Look(counts, now)))
            except OSError as error:  # a full disk needs what is deleted
                log.warning("retention: %s: %s; the next look starts from the last", FILE, error)
        return counts

    def _last(self) -> Look | None:
        try:
            return msgspec.json.decode(read_checked(self._path), type=Look)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            log.warning("retention: %s: %s; taken for a first look", self._path, error)
            return None
