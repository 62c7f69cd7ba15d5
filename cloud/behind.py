"""What is durable and waits to be taken further, in order and in portions."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cloud.decode import Message
from cloud.ingest import VALUE_BYTES, Handled, sender_of
from cloud.journal import Record
from models.contract.messages import Batch, Birth

PORTION_BYTES: Final = 1 << 20  #: of messages, as they came, that are taken further at once
BIRTHS: Final = 16  #: and of births and the like, each of which costs as much as many readings
HELD_BYTES: Final = 1200  #: of a message that waits, whatever is in it (measured)
COLUMN_BYTES: Final = 100  #: of one of its columns (measured)
READ_BYTES: Final = 12  #: for each byte of a message other than a batch (measured)


class Behind:
    """A queue of portions. `bytes`: about what they take, as they came and as they were read."""

    def __init__(self) -> None:
        self._portions: deque[
            tuple[Sequence[Record], Mapping[int, Message], int, list[tuple[str, str]]]
        ] = deque()
        self._births: Counter[tuple[str, str]] = Counter()  #: devices and dictionaries
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._portions)

    def add(self, handled: Handled) -> None:
        """Let a group wait."""
        for records in _portions(handled.records, handled.messages):
            size = sum(_held(one, handled.messages.get(one.n)) for one in records)
            births = _births(records, handled.messages)
            self._portions.append((records, handled.messages, size, births))
            self._births.update(births)
            self.bytes += size

    def explains(self, identity: str, dictionary: str) -> bool:
        """Return whether a birth waits that explains the columns of such batches."""
        return (identity, dictionary) in self._births

    def take(self) -> tuple[Sequence[Record], Mapping[int, Message]]:
        """Return the oldest portion, and its group's messages by position."""
        records, messages, size, births = self._portions.popleft()
        self.bytes -= size
        for one in births:
            self._births[one] -= 1
            if not self._births[one]:
                del self._births[one]
        return records, messages


def _portions(
    records: Sequence[Record], messages: Mapping[int, Message]
) -> Iterator[Sequence[Record]]:
    """Yield records in portions that take no long time."""
    first = size = births = 0
    for end, record in enumerate(records, 1):
        size += len(record.entry.payload)
        births += not isinstance(messages.get(record.n), Batch)
        if size >= PORTION_BYTES or births >= BIRTHS or end == len(records):
            yield records[first:end]
            first, size, births = end, 0, 0


def _births(records: Sequence[Record], messages: Mapping[int, Message]) -> list[tuple[str, str]]:
    return [
        (sender_of(record.entry.topic), message.dictionary)
        for record in records
        if isinstance(message := messages.get(record.n), Birth)
    ]


def _held(record: Record, message: Message | None) -> int:
    size = HELD_BYTES + len(record.entry.payload)
    if isinstance(message, Batch):
        columns = (VALUE_BYTES * message.count + COLUMN_BYTES) * len(message.columns)
        return size + columns + VALUE_BYTES * message.count  # and times
    return size if message is None else size + READ_BYTES * len(record.entry.payload)
