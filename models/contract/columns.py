"""From separately read columns to a batch: one wrong column never costs the others."""

import re
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeVar

from models.contract.errors import BadPayload, Reason
from models.contract.messages import (
    MAX_NUMBER,
    MAX_SAMPLES,
    Batch,
    BrokenColumn,
    Clock,
    Column,
)
from models.contract.times import MAX_OFFSET, instant_ns
from models.contract.wire import NAME_PATTERN, VERSION, ClockWire, Head
from models.counts import counted

MAX_REMEMBERED: Final = 256  #: names that are judged once; more would fill the memory
SHOWN: Final = 120  #: characters of a wrong name that are kept
MAX_QUALITY: Final = 3  #: stale
SOURCES: Final = frozenset({"none", "rtc", "ntp", "ptp"})
_name_allowed: Final = re.compile(NAME_PATTERN).match

T = TypeVar("T")
Q = TypeVar("Q")


class ColumnError(Exception):
    """One column cannot be read; becomes a `BrokenColumn`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check_version(version: int) -> None:
    """Refuse a major version that this reader does not know."""
    if version != VERSION:
        raise BadPayload(Reason.VERSION, f"version {version}: this reader knows {VERSION}")


def clock(wire: ClockWire | None) -> Clock | None:
    """Return the clock's quality; a source that we do not know yet counts as `none`."""
    if wire is None:
        return None
    return Clock(src=wire.src if wire.src in SOURCES else "none", err_ns=wire.err)


def assemble(
    head: Head,
    parts: Mapping[str, T],
    qualities: Mapping[str, Q],
    offsets_ns: "int | array[int] | None",
    *,
    read: Callable[[T], Column],
    read_quality: Callable[[Q, int], bytes],
    raw: Callable[[T], bytes],
) -> Batch:
    """Read each column on its own and put the batch together.

    `read` and `read_quality` raise `ColumnError`; `raw` gives a broken column's bytes back.
    `BadPayload` when the numbers or times of the samples cannot be known.
    """
    count = declared(head.n, offsets_ns)
    columns: dict[str, Column] = {}
    quality: dict[str, bytes] = {}
    broken: list[BrokenColumn] = []
    for name, part in parts.items():
        try:
            if not _name_allowed(name):
                raise ColumnError(Reason.UNREADABLE, "name: give 1 to 120 printable characters")
            column = read(part)
            count = _fitting(len(column), count)
            if name in qualities:
                quality[name] = read_quality(qualities[name], count)
            columns[name] = column
        except ColumnError as error:
            broken.append(
                BrokenColumn(
                    name=name[:SHOWN], reason=error.reason, detail=error.detail, raw=raw(part)
                )
            )
    if count is None:
        first = broken[0]
        text = f"no column can be read; {first.name}: {first.detail}"
        raise BadPayload(first.reason, text)
    return batch(head, columns, count, offsets_ns, quality=quality, broken=tuple(broken))


def _fitting(length: int, count: int | None) -> int:
    """Return how many samples there are; the first column that can be read may say it."""
    if count is not None and length != count:
        text = f"{counted(length, 'value')} for {counted(count, 'sample')}"
        raise ColumnError(Reason.WRONG_LENGTH, text)
    return length


def batch(
    head: Head,
    columns: Mapping[str, Column],
    count: int,
    offsets_ns: "int | array[int] | None",
    *,
    quality: Mapping[str, bytes] | None = None,
    broken: tuple[BrokenColumn, ...] = (),
) -> Batch:
    """Put a batch of `count` samples together.

    `BadPayload` when the numbers or times of the samples cannot be known.
    """
    _check_numbers(head, count, offsets_ns)
    return Batch(
        columns=columns,
        count=count,
        boot=head.b,
        seq=head.s,
        unreceipted=head.u,
        t0_ns=None if head.t0 is None else instant_ns(head.t0),
        mono_ns=head.m0,
        clock=clock(head.cq),
        offsets_ns=0 if offsets_ns is None else offsets_ns,
        quality=quality or {},
        historical=head.h,
        dictionary=head.dh,
        broken=broken,
    )


def declared(n: int | None, offsets_ns: "int | array[int] | None") -> int | None:
    """Return the number of samples: declared, else that of the offsets, else not yet known."""
    if not isinstance(offsets_ns, array):
        return n
    if n is not None and len(offsets_ns) != n:
        raise BadPayload(
            Reason.WRONG_LENGTH, f"{counted(len(offsets_ns), 'offset')} for {counted(n, 'sample')}"
        )
    return len(offsets_ns)


def names_allowed(names: tuple[str, ...]) -> bool:
    """Return whether all of these may be names of columns."""
    return _few_allowed(names) if len(names) <= MAX_REMEMBERED else all(map(_name_allowed, names))


@lru_cache(maxsize=4096)
def _few_allowed(names: tuple[str, ...]) -> bool:
    return all(map(_name_allowed, names))


def _check_numbers(head: Head, count: int, offsets_ns: "int | array[int] | None") -> None:
    if not 1 <= count <= MAX_SAMPLES:
        raise BadPayload(Reason.WRONG_LENGTH, f"{count} samples: give 1 to {MAX_SAMPLES}")
    if head.s is not None and head.s + count - 1 > MAX_NUMBER:
        raise BadPayload(Reason.WRONG_TYPE, "s: the last sample's number is beyond 2^53 - 1")
    if isinstance(offsets_ns, int) and abs(offsets_ns) * count > MAX_OFFSET:
        raise BadPayload(Reason.WRONG_TYPE, "dt: the last sample is more than 73 years from t0")
