"""Ingest: put each stream in order, recognise repeats, make it durable, then tell the device.

`handle` is the promise in one place: nothing is receipted or acknowledged before `Journal.append`
has returned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from operator import is_
from typing import Final

import msgspec

from cloud.decode import Message, aside_payload
from cloud.errors import StoreError
from cloud.journal import ALL, Entry, Journal, Kind, Record
from cloud.quota import Quota
from cloud.reader import Arrived, Reader, apart
from cloud.sequence import Decision, Key, Numbered, Sequencer, Verdict
from models.contract import codec, topics
from models.contract.errors import ContractError, Reason
from models.contract.messages import Batch, Birth, Gap, Receipt, Refusal
from models.contract.sheet import Sheet

VALUE_BYTES: Final = 8  #: of a message that cannot be read count as one value
RANGE_VALUES: Final = 10  #: a declared range costs memory like so many values
HEAD_BYTES: Final = 1024  #: of a message that is too large are kept
MAX_REFUSALS: Final = 1000  #: in one receipt


@dataclass(slots=True)
class Handled:
    """What came of a group: what is now durable, and what the devices may be told."""

    records: list[Record] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    receipts: list[tuple[str, Receipt]] = field(default_factory=list)


@dataclass(slots=True)
class Counters:
    """Totals since the start: messages = accepted + repeats + aside + refused + those that wait."""

    messages: int = 0
    accepted: int = 0
    repeats: int = 0
    aside: int = 0  #: `conflicts` among them
    conflicts: int = 0
    refused: int = 0  #: over quota, or one hole too many: not stored, the device keeps it
    held: int = 0  #: how many had to wait for an earlier one, ever
    samples: int = 0


Pending = tuple[Entry, Message | None]
_MESSAGE, _ACCEPT = Kind.MESSAGE, Verdict.ACCEPT  #: looked up once: each look takes 0.1 us


@dataclass(slots=True)
class _Answer:
    """What a stream's receipt will say beside its numbers. `columns`: signals a sample."""

    refused: list[Refusal] = field(default_factory=list)
    columns: int = 1


class Ingest:
    """Takes groups of messages into the journal, each sample once."""

    def __init__(
        self, journal: Journal, sequencer: Sequencer[Entry], quota: Quota | None = None
    ) -> None:
        self.journal = journal
        self.sequencer = sequencer
        self.quota = quota or Quota()
        self._counts = Counters()
        self.counters = Counters()  #: those of whole groups, for any thread
        #: says why a device's message is not taken (None: it is)
        self.admission: Callable[[str, Message], str | None] | None = None
        #: whether a birth explained the columns of such batches of a device
        self.explained: Callable[[str, str], bool] = lambda _device, _dictionary: True
        self.reader = Reader()
        self._births: dict[str, int] = {}  #: checksum of each device's newest birth
        self._fresh: dict[str, int] = {}  #: those of the group in hand
        self._touched: dict[Key, _Answer] = {}
        self._whole = True  #: all that was read of the group in hand goes on as it is

    def handle(self, group: Sequence[Arrived], now_ns: int, extra: Iterable[Entry] = ()) -> Handled:
        """Sort the group out, make what is new durable, and say what may be receipted.

        `extra` are entries of the service itself (ticks, actions), which go first. `StoreFull`
        leaves everything as if the group had not arrived, counters included: it can be handed in
        again, and devices without a receipt send again.
        """
        self._touched = {}
        self._whole = True
        self.sequencer.begin()
        self.quota.begin(min((one.received_ns for one in group), default=now_ns))
        self._fresh = {}
        try:
            pending: list[Pending] = [(entry, None) for entry in extra]
            self._sorted(group, now_ns, pending)
            handled = Handled(self.journal.append([entry for entry, _ in pending]))
        except StoreError:
            self.sequencer.rollback()
            self.quota.rollback()
            self._counts = replace(self.counters)
            raise
        self._births |= self._fresh
        handled.messages = {
            record.n: message
            for record, (_, message) in zip(handled.records, pending, strict=True)
            if message is not None
        }
        if not self._whole:
            handled.messages.update(_apart(handled.records, handled.messages))
        handled.receipts = [
            self._receipt(key, answer, now_ns) for key, answer in self._touched.items()
        ]
        self.counters = replace(self._counts)
        return handled

    def refuse(self, counts: Mapping[str, int], now_ns: int) -> None:
        """Count the messages that a device's limit has kept out before they came here."""
        for identity, messages in counts.items():
            self._counts.messages += messages
            self._counts.refused += messages
            self.quota.refused_before(identity, messages, now_ns)
        self.counters = replace(self._counts)

    def _sorted(self, group: Sequence[Arrived], now_ns: int, out: list[Pending]) -> None:
        """Add what is to go into the journal to `out`."""
        self._counts.messages += len(group)
        taken = [arrived for arrived in group if self._passes(arrived)]
        self._counts.refused += len(group) - len(taken)  # the next one's receipt says so
        reads, first = self.reader.read(taken), len(out)
        for arrived, read in zip(taken, reads, strict=True):
            if isinstance(read, ContractError):
                self._unread(arrived, read, out)
            else:
                self._sort(arrived, read, out)
        gone_on = [message for entry, message in out[first:] if entry.take == ALL]
        self._whole = len(gone_on) == len(reads) and all(map(is_, gone_on, reads))
        for key, released in self.sequencer.overdue(now_ns):
            out.append((self._release(key, now_ns), None))
            self._released(released, out)
            self._answer(key)

    def _passes(self, arrived: Arrived) -> bool:
        """Whether a message is within its device's limit."""
        birth = arrived.topic.endswith("/up/birth")
        if not self.quota.counts(birth=birth):
            return True
        return self.quota.message(sender_of(arrived.topic), arrived.received_ns, birth=birth)

    def _sort(self, arrived: Arrived, message: Message, out: list[Pending]) -> None:
        topic = topics.parse(arrived.topic)
        if self.admission is not None:
            stranger = self.admission(topic.identity, message)
            if stranger is not None:
                self._unread(arrived, ContractError(Reason.UNKNOWN_DEVICE, stranger), out)
                return
        if isinstance(message, Batch):
            self._batch(topic, message, arrived, out)
            return
        entry = Entry(_MESSAGE, arrived.received_ns, arrived.topic, arrived.payload)
        if isinstance(message, Birth) and self._again(topic.identity, arrived.payload):
            self._counts.repeats += 1
            return  # retained: it comes again at every connection
        if isinstance(message, Gap):
            self._gap(topic, entry, message, out)
            return
        self._counts.accepted += 1
        out.append((entry, message))

    def _unread(self, arrived: Arrived, error: ContractError, out: list[Pending]) -> None:
        size = len(arrived.payload) // VALUE_BYTES
        if self.quota.values(sender_of(arrived.topic), size, arrived.received_ns):
            out.append(self._aside(arrived, error.reason, error.detail))
        else:
            self._counts.refused += 1

    def _gap(self, topic: topics.Topic, entry: Entry, gap: Gap, out: list[Pending]) -> None:
        cost = len(gap.ranges) * RANGE_VALUES
        if not self.quota.values(topic.identity, cost, entry.at_ns):
            self._counts.refused += 1
            return  # the device declares it again
        self._counts.accepted += 1
        key = Key(topic.identity, gap.boot, gap.stream)
        for first, last in gap.ranges:  # what waits is here, and so it is not lost
            self._released(self.sequencer.within(key, first, last), out)
        self._account(key, gap)
        self._answer(key)
        out.append((entry, gap))
        self._released(self.sequencer.followers(key), out)

    def _again(self, identity: str, birth: bytes) -> bool:
        """Whether a device's birth is the one that is known."""
        check = _checksum(birth)
        if check == (self._fresh.get(identity) or self._births.get(identity)):
            return True
        self._fresh[identity] = check
        return False

    def _explains(self, identity: str, dictionary: str) -> bool:
        """Whether a birth has come; else the receipt asks for it."""
        return identity in self._fresh or self.explained(identity, dictionary)

    def _over_quota(self, topic: topics.Topic, batch: Batch) -> None:
        self._counts.refused += 1
        if batch.guaranteed:
            key, numbered = identify(topic, batch)
            self._refuse(key, batch, numbered.seq, Reason.QUOTA)

    def _answer(self, key: Key) -> _Answer:
        """Return what a stream's receipt will say; there will be one."""
        answer = self._touched.get(key)
        if answer is None:
            answer = self._touched[key] = _Answer()
        return answer

    def _refuse(self, key: Key, batch: Batch, seq: int, code: Reason) -> None:
        answer = self._answer(key)
        last = seq + max(batch.count, 1) - 1
        answer.refused.append(Refusal(first=seq, last=last, code=code))

    def _batch(
        self, topic: topics.Topic, batch: Batch, arrived: Arrived, out: list[Pending]
    ) -> None:
        columns, at_ns = batch.columns, arrived.received_ns
        values = batch.count * (len(columns) or 1)
        if not self.quota.values(topic.identity, values, at_ns):
            self._over_quota(topic, batch)
            return
        check = columns.whole if type(columns) is Sheet else None
        entry = Entry(_MESSAGE, at_ns, arrived.topic, arrived.payload, check=check)
        if batch.guaranteed:
            self._numbered(topic, entry, batch, arrived, out)
        else:
            self._parts(entry, batch, ((0, batch.count),), out)

    def _numbered(
        self,
        topic: topics.Topic,
        entry: Entry,
        batch: Batch,
        arrived: Arrived,
        out: list[Pending],
    ) -> None:
        key, numbered = identify(topic, batch)
        size = len(entry.payload)
        decision = self.sequencer.offer(key, numbered, entry.at_ns, entry, size)
        self._answer(key).columns = len(batch.columns)
        if batch.dictionary and not self._explains(topic.identity, batch.dictionary):
            self._refuse(key, batch, numbered.seq, Reason.UNKNOWN_DICTIONARY)
        unread = batch.broken and not batch.columns
        if unread and decision.verdict not in {Verdict.HOLD, Verdict.LATER}:
            self._refuse(key, batch, numbered.seq, batch.broken[0].reason)
        if decision.verdict is _ACCEPT:
            self._parts(entry, batch, decision.parts, out)
            if self.sequencer.holds(key):
                self._released(self.sequencer.followers(key), out)
            return
        match decision.verdict:
            case Verdict.REPEAT:
                self._counts.repeats += 1
            case Verdict.CONFLICT:
                self._counts.conflicts += 1
                detail = f"{key.boot} {numbered.seq}"
                out.append(self._aside(arrived, Reason.SEQ_CONFLICT, detail))
            case Verdict.HOLD:
                self._counts.held += 1
            case Verdict.LATER:
                self._counts.refused += 1
                self._refuse(key, batch, numbered.seq, Reason.QUOTA)

    def _released(self, waited: Iterable[tuple[Entry, Decision]], out: list[Pending]) -> None:
        for entry, decision in waited:
            self._parts(entry, self._read(entry), decision.parts, out)

    def _read(self, entry: Entry) -> Batch:
        """Return the batch of an entry that has waited: only its bytes are kept till then."""
        (message,) = self.reader.read([Arrived(entry.topic, entry.payload, entry.at_ns)])
        assert isinstance(message, Batch)
        return message

    def _parts(
        self, entry: Entry, batch: Batch, parts: Sequence[tuple[int, int]], out: list[Pending]
    ) -> None:
        for skip, take in parts:
            whole = skip == 0 and take == batch.count
            part = entry if whole else msgspec.structs.replace(entry, skip=skip, take=take)
            out.append((part, batch))
            self._counts.samples += take
        if parts:
            self._counts.accepted += 1
        else:
            self._counts.repeats += 1

    def _account(self, key: Key, gap: Gap) -> None:
        """Note what the device no longer has as accounted for."""
        for first, last in gap.ranges:
            self.sequencer.account(key, first, last)

    def _aside(self, arrived: Arrived, reason: Reason, detail: str) -> Pending:
        self._counts.aside += 1
        kept = arrived.payload[:HEAD_BYTES] if reason is Reason.TOO_LARGE else arrived.payload
        payload = aside_payload(reason, detail, kept)
        topic = arrived.topic.encode(errors="replace")[: topics.MAX_TOPIC].decode(errors="ignore")
        return Entry(Kind.ASIDE, arrived.received_ns, topic, payload), None

    def _release(self, key: Key, now_ns: int) -> Entry:
        _, missing = self.sequencer.position(key)
        payload = msgspec.json.encode({"key": key, "missing": missing})
        return Entry(Kind.RELEASE, now_ns, "", payload)

    def _receipt(self, key: Key, answer: _Answer, now_ns: int) -> tuple[str, Receipt]:
        hwm, missing = self.sequencer.position(key)
        return key.identity, Receipt(
            boot=key.boot,
            stream=key.stream,
            hwm=hwm,
            missing=missing,
            refused=tuple(answer.refused[:MAX_REFUSALS]),
            credit=self.quota.credit(key.identity, answer.columns, now_ns),
        )

    def restore(self, records: Sequence[Record]) -> dict[int, Message]:
        """Note what records of the journal say about numbers and births (at start).

        Returns the messages, by position, of those that have one which can be read.
        """
        said = [record for record in records if record.entry.kind is Kind.MESSAGE]
        taken = [Arrived(r.entry.topic, r.entry.payload, r.entry.at_ns) for r in said]
        out: dict[int, Message] = {}
        for record, message in zip(said, self.reader.read(taken), strict=True):
            if not isinstance(message, ContractError):
                out[record.n] = message
                self._restore(record.entry, message)
        out.update(_apart(said, out))
        return out

    def _restore(self, entry: Entry, message: Message) -> None:
        topic = topics.parse(entry.topic)
        if isinstance(message, Birth):
            self._births[topic.identity] = _checksum(entry.payload)
        elif isinstance(message, Gap):
            self._account(Key(topic.identity, message.boot, message.stream), message)
        elif isinstance(message, Batch) and message.guaranteed:
            key, numbered = identify(topic, message)
            take = message.count - entry.skip if entry.take == ALL else entry.take
            self.sequencer.restore(key, numbered, entry.skip, take, entry.at_ns)


def sender_of(topic: str) -> str:
    """Return who sent a message, without looking further."""
    levels = topic.split("/", 3)
    return levels[2] if len(levels) > 2 else ""


def _apart(records: Sequence[Record], messages: Mapping[int, Message]) -> dict[int, Batch]:
    """Return copies of those whose values would keep others'; of a part nothing is kept anyhow."""
    whole = {r.n: messages[r.n] for r in records if r.entry.take == ALL and r.n in messages}
    return apart(whole)


def _checksum(payload: bytes) -> int:
    return int.from_bytes(blake2b(payload, digest_size=16).digest())


def identify(topic: topics.Topic, batch: Batch) -> tuple[Key, Numbered]:
    """Return a guaranteed batch's stream and numbers."""
    assert batch.boot is not None
    assert batch.seq is not None
    #: as `Key(…)`, which is slow
    key = tuple.__new__(Key, (topic.identity, batch.boot, topic.channel[1]))
    return key, Numbered(batch.seq, batch.count, batch.unreceipted, codec.fingerprint(batch))
