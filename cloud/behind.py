"""What is durable and waits to be taken further, in order and in portions."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cloud.decode import Message
from cloud.ingest import VALUE_BYTES, Handled
from cloud.journal import Record
from models.contract.messages import Batch

PORTION_BYTES: Final = 1 << 20  #: of messages, as they came, that are taken further at once
BIRTHS: Final = 16  #: and of births and the like, each of which costs as much as many readings
HELD_BYTES: Final = 1200  #: of a message that waits, whatever is in it (measured)
COLUMN_BYTES: Final = 100  #: of one of its columns (measured)
READ_BYTES: Final = 12  #: for each byte of a message other than a batch (measured)


class Behind:
    """A queue of portions. `bytes`: about what they take, as they came and as they were read."""

    def __init__(self) -> None:
        self._portions: deque[tuple[Sequence[Record], Mapping[int, Message], int]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._portions)

    def add(self, handled: Handled) -> None:
        """Let a group wait."""
        for records in _portions(handled.records, handled.messages):
            size = sum(_held(one, handled.messages.get(one.n)) for one in records)
            self._portions.append((records, handled.messages, size))
            self.bytes += size

    def take(self) -> tuple[Sequence[Record], Mapping[int, Message]]:
        """Return the oldest portion, and its group's messages by position."""
        records, messages, size = self._portions.popleft()
        self.bytes -= size
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


def _held(record: Record, message: Message | None) -> int:
    size = HELD_BYTES + len(record.entry.payload)
    if isinstance(message, Batch):
        columns = (VALUE_BYTES * message.count + COLUMN_BYTES) * len(message.columns)
        return size + columns + VALUE_BYTES * message.count  # and times
    return size if message is None else size + READ_BYTES * len(record.entry.payload)
