"""What the operator is told of the service itself: its disk is nearly full, it has room again.

Each is said once over every channel, through restarts too: what was said is in a file of its own,
which the disk's reserve has room for. It needs no ledger.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from cloud.disk import Shortage
from cloud.durable import read_checked, write_checked
from cloud.notify.channels import NotSent
from cloud.notify.notifier import Notifier
from cloud.notify.texts import OPERATOR, Language, Text, fill

LOOK_S: Final = 1.0
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 900.0
S: Final = 1_000_000_000
log = logging.getLogger(__name__)


class Notice(msgspec.Struct, kw_only=True):
    """What was said last: `kind` of shortage, and which channels have it."""

    id: str
    kind: Literal["raised", "cleared"]
    folder: str
    free: int
    total: int
    wanted: int
    delivered: list[str] = msgspec.field(default_factory=list)
    to: list[str] | None = None  #: channels that are to have it (None: all there are)


class Operator:
    """Tells of a shortage and of its end. `now` is the wall clock in ns."""

    def __init__(
        self,
        notifier: Notifier,
        shortage: Callable[[], Shortage | None],
        folder: Path,
        now: Callable[[], int],
    ) -> None:
        self._notifier = notifier
        self._shortage = shortage
        self._path = folder / "operator.json"
        self._now = now
        self._attempts = self._due_ns = 0
        self._notice = self._load()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every second until `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            looking = asyncio.create_task(self.look())
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                looking.cancel()
                break
            looking.result()
            await asyncio.wait({stopping}, timeout=LOOK_S)

    async def look(self) -> None:
        """Say what has changed, and once more where it did not get through."""
        short, notice = self._shortage(), self._notice
        if short is not None and (notice is None or notice.kind == "cleared"):
            self._say("raised", short)
        elif short is None and notice is not None and notice.kind == "raised":
            self._say("cleared", Shortage(notice.folder, notice.free, notice.total, notice.wanted))
        await self._deliver()

    def _say(self, kind: Literal["raised", "cleared"], short: Shortage) -> None:
        self._notice = Notice(
            id=f"disk-{kind}-{self._now()}",
            kind=kind,
            folder=short.folder,
            free=short.free,
            total=short.total,
            wanted=short.wanted,
            to=[one.name for one in self._notifier.outlets()],
        )
        self._attempts = self._due_ns = 0
        self._save()

    async def _deliver(self) -> None:
        notice = self._notice
        if notice is None or self._now() < self._due_ns:
            return
        names = {one.name for one in self._notifier.outlets()}
        asked = names if notice.to is None else names & {*notice.to}
        owed = sorted(asked - {*notice.delivered})
        await asyncio.gather(*(self._tell(notice, name) for name in owed))
        self._attempts += bool(owed)

    async def _tell(self, notice: Notice, name: str) -> None:
        try:
            await self._notifier.announce(notice.id, name, _texts(notice))
        except NotSent as error:
            log.warning("notice %s over %s: %s", notice.id, name, error)
            pause = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._attempts, 20))
            self._due_ns = self._now() + int(pause * S)
        else:
            notice.delivered.append(name)
            self._save()

    def _load(self) -> Notice | None:
        try:
            return msgspec.json.decode(read_checked(self._path), type=Notice)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            log.warning("%s: %s; the operator may be told again", self._path, error)
            return None

    def _save(self) -> None:
        try:
            write_checked(self._path, msgspec.json.encode(self._notice))
        except OSError as error:
            log.warning("%s: %s; a restart may tell the operator again", self._path, error)


def _texts(notice: Notice) -> dict[Language, Text]:
    values = {
        "folder": notice.folder,
        "free": f"{notice.free:,}",
        "total": f"{notice.total:,}",
        "wanted": f"{notice.wanted:,}",
    }
    return {
        language: Text(title=words[f"{notice.kind}_title"], body=fill(words[notice.kind], values))
        for language, words in OPERATOR.items()
    }
