"""One stream's way to the cloud: what is on its way, and when to send it again. Pure.

Batches go out in order, at most a window ahead of the receipts. Without progress for two seconds
the stream begins again at the first batch without a receipt, with a small window that doubles with
each receipt. A cloud that says nothing is asked ever more seldom. A batch that makes no progress in
three tries while the cloud does answer is unreadable there, and is set aside.
Times are seconds of a clock that never jumps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_agent.outbox_file import BEGINNING, Place, Stored
from models.contract.errors import Reason
from models.contract.messages import Receipt

STALL_S: Final = 2.0
LONGEST_STALL_S: Final = 8.0
TRIES: Final = 3  #: of one batch, before it is set aside
#: after a stall: the first batch, and one more to make the cloud say what it lacks
PROBE: Final = 2
AGAIN_S: Final = 1.0  #: between two answers to the same `missing`
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class _Sent:
    boot: str
    last: int
    samples: int


@dataclass(slots=True)
class Flow:
    """The state of one stream. `window` is in batches, `credit` in samples (None: no limit)."""

    stream: str
    window: int
    stall_s: float = STALL_S
    credit: int | None = None
    cursor: Place = BEGINNING  #: the last batch sent in order
    resent: int = 0  #: stalls so far, for the agent's own numbers
    _flight: dict[Place, _Sent] = field(default_factory=dict)
    _open: int = 0
    _progress_s: float = 0.0
    _wait_s: float = 0.0
    _heard: bool = False
    _head: Place | None = None
    _tries: int = 0
    _paused_s: float | None = None
    _pause_s: float = FIRST_PAUSE_S
    _answered: dict[int, float] = field(default_factory=dict)

    def begin(self, now_s: float) -> None:
        """A new connection: everything without a receipt is sent again."""
        self._open = self.window
        self._wait_s = self.stall_s
        self._paused_s = None
        self._rewind(now_s)

    def _rewind(self, now_s: float) -> None:
        self._flight.clear()
        self._answered.clear()
        self.cursor = BEGINNING
        self._progress_s = now_s
        self._heard = False

    @property
    def in_flight(self) -> int:
        """Batches sent without a receipt."""
        return len(self._flight)

    def room(self) -> int:
        """Return how many batches may be sent now."""
        if self._paused_s is not None:
            return 0
        if not self._flight:
            return 1 if self.credit is not None else self._open
        if self.credit is not None:
            used = sum(sent.samples for sent in self._flight.values())
            return int(used < self.credit and len(self._flight) < self._open)
        return max(self._open - len(self._flight), 0)

    def sent(self, stored: Stored, now_s: float) -> None:
        """Note that the next batch in order goes out."""
        if not self._flight:
            self._progress_s = now_s
        self._flight[stored.place] = _Sent(stored.boot, stored.last, stored.samples)
        self.cursor = max(self.cursor, stored.place)

    def receipt(self, receipt: Receipt, now_s: float) -> None:
        """Take note of a receipt of this stream."""
        self._heard = True
        if receipt.credit is not None:
            self.credit = max(receipt.credit, 1)
        done = [
            place
            for place, sent in self._flight.items()
            if sent.boot == receipt.boot and sent.last <= receipt.hwm
        ]
        for place in done:
            del self._flight[place]
        if done:
            self._progress_s = now_s
            self._wait_s = self.stall_s
            self._open = min(self._open * 2, self.window)
            self._head, self._tries = None, 0
            self._pause_s = FIRST_PAUSE_S
            self._answered = {n: at for n, at in self._answered.items() if n > receipt.hwm}
        if any(refusal.code is Reason.QUOTA for refusal in receipt.refused):
            self._hold(receipt, now_s)

    def _hold(self, receipt: Receipt, now_s: float) -> None:
        """Over quota: nothing is lost, but it has to wait and go more slowly."""
        if self._paused_s is not None:
            return  # the refusals of one flight are one answer
        if receipt.credit is None:
            used = sum(sent.samples for sent in self._flight.values())
            self.credit = max(used // 2, 1)
        self._paused_s = now_s + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def wanted(self, receipt: Receipt, now_s: float) -> Iterator[tuple[int, int]]:
        """Yield the missing ranges to answer now: each at once, then at most once a second."""
        if self._paused_s is not None:
            return
        for first, last in receipt.missing:
            if now_s - self._answered.get(first, -AGAIN_S) >= AGAIN_S:
                self._answered[first] = now_s
                yield first, last

    def deadline(self) -> float | None:
        """Return when `due` has something to do; None when nothing is on its way."""
        if self._paused_s is not None:
            return self._paused_s
        return self._progress_s + self._wait_s if self._flight else None

    def due(self, now_s: float) -> Place | None:
        """Begin again where there is no progress; return a batch to set aside, if any."""
        deadline = self.deadline()
        if deadline is None or now_s < deadline:
            return None
        if self._paused_s is not None:
            self._paused_s = None
            self._rewind(now_s)
            return None
        head = min(self._flight)
        if head != self._head:
            self._head, self._tries = head, 0
        if self._heard:
            self._tries += 1
            self._wait_s = self.stall_s
        else:  # the cloud is silent: no reason to blame the batch
            self._wait_s = min(self._wait_s * 2, LONGEST_STALL_S)
        self.resent += 1
        self._open = min(PROBE, self.window)
        self._rewind(now_s)
        if self._tries > TRIES:
            self._head, self._tries = None, 0
            return head
        return None


def permanent(receipt: Receipt) -> Sequence[tuple[int, int, str]]:
    """Return the ranges above the high-watermark that are refused for ever, with their code."""
    return [
        (refusal.first, refusal.last, refusal.code.value)
        for refusal in receipt.refused
        if refusal.code is not Reason.QUOTA and refusal.last > receipt.hwm
    ]
