"""From journal records to rows: which machine, which time, which columns. Pure and replayable.

The decoder knows each device's newest birth (machines, dictionary) and, for devices on wall time,
how far their clocks are off. Everything comes from the records, so a replay decodes alike.
"""

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud import columns
from cloud.diagnostics.values import Answered
from cloud.journal import Kind, Record
from cloud.ledger import Registration
from cloud.parking import Parking
from cloud.records import BEGINS
from cloud.units import Units, by_machine
from models.contract import codec, topics
from models.contract.errors import ContractError, Reason
from models.contract.messages import Answer, Batch, Birth, MachineRef
from models.contract.sheet import Sheet
from models.rows import Block, Tick

FUTURE_NS: Final = 300 * 10**9  #: later than this after arrival is a wrong clock
BUILT_NS: Final = 1_735_689_600 * 10**9  #: 2025-01-01: no reading is older than the program
#: After `BUILT_NS`: later than this no device's time holds while the service's clock is not set.
SPAN_NS: Final = 10 * 365 * 86_400 * 10**9
UNNUMBERED: Final = "unnumbered"  #: boot of samples that the device did not number
UNCERTAIN: Final = 1
MAX_DICTIONARIES: Final = 64  #: of one device that are remembered, the newest


@dataclass(frozen=True, slots=True)
class Aside:
    """A message or column for the quarantine."""

    n: int
    at_ns: int
    topic: str
    reason: Reason
    detail: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Restart:
    """A component was replaced or repaired: the models begin anew with it."""

    machine: str
    component: str | None
    at_ns: int
    n: int  #: journal position


Item = Block | Tick | Registration | Aside | Restart | Answered
Message = Batch | Birth | object
_MESSAGE: Final = Kind.MESSAGE  #: looked up once: each look takes 0.1 us


@lru_cache(maxsize=4_096)
def _sole(key: str, ref: MachineRef) -> Mapping[str, MachineRef]:
    return {key: ref}


def _shared(machines: Mapping[str, MachineRef]) -> Mapping[str, MachineRef]:
    """Return machines that equal these: thousands of devices of a type have the same only one."""
    return _sole(*next(iter(machines.items()))) if len(machines) == 1 else machines


_Dictionaries = Mapping[str, Mapping[str, MachineRef]]


@lru_cache(maxsize=4_096)
def _of_one(dictionary: str, key: str, ref: MachineRef) -> _Dictionaries:
    return {dictionary: _sole(key, ref)}


def _alone(dictionary: str, machines: Mapping[str, MachineRef]) -> _Dictionaries:
    """Return a device's only dictionary: it too is the same for thousands of a type."""
    if len(machines) != 1:
        return {dictionary: machines}
    return _of_one(dictionary, *next(iter(machines.items())))


@dataclass(slots=True)
class _Device:
    """What is known of a device: its newest machines, and those of each dictionary it had."""

    machines: Mapping[str, MachineRef] = field(default_factory=lambda: _sole("", MachineRef()))
    dictionaries: _Dictionaries = field(default_factory=dict)

    def learn(self, birth: Birth) -> None:
        """Take over a birth; the oldest of too many dictionaries is forgotten."""
        self.machines = _shared(birth.machines)
        name = sys.intern(birth.dictionary)
        others = [item for item in self.dictionaries.items() if item[0] != name]
        if others:
            others = others[-(MAX_DICTIONARIES - 1) :]
            self.dictionaries = dict([*others, (name, self.machines)])
        else:
            self.dictionaries = _alone(name, self.machines)


def _set_aside(record: Record, reason: Reason, detail: str, payload: bytes) -> Aside:
    topic = _words(record.entry.topic)
    return Aside(record.n, record.entry.at_ns, topic, reason, _words(detail), payload)


def _words(text: str) -> str:
    """Return a text that every database takes."""
    return text.replace("\0", "\ufffd")


def aside_payload(reason: Reason, detail: str, payload: bytes) -> bytes:
    """Return the payload of an `ASIDE` record; `_aside` reads it back."""
    return b"\n".join(
        (reason.encode(), detail.replace("\n", " ")[:300].encode(errors="replace"), payload)
    )


def _aside(record: Record) -> Aside:
    reason, detail, payload = record.entry.payload.split(b"\n", 2)
    return _set_aside(record, Reason(reason.decode()), detail.decode(), payload)


def machine_id(identity: str, key: str) -> str:
    """Return the id of a device's machine; the only machine has the key ""."""
    return f"{identity}:{key}" if key else identity


class Decoder:
    """Turns records into rows; keeps what it must remember of each device."""

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        self.parking = Parking()
        self._data_time: dict[str, bool] = {}
        self._began: dict[str, tuple[str | None, int]] = {}  #: device -> boot and when it began
        #: Newest time that a device on wall time gave by its own clock, ns since 1970 UTC; 0: none.
        self.told_ns = 0
        self.tick_ns = 0  #: the newest tick, by the service's clock; 0: none

    def data_time(self, identity: str) -> bool:
        """Return whether a device's times are the data's own."""
        return self._data_time.get(identity, False)

    def decode(
        self, records: Sequence[Record], messages: Mapping[int, Message] | None = None
    ) -> list[Item]:
        """Decode a group, in order. `messages` are those already decoded, by position."""
        out: list[Item] = []
        messages = messages or {}
        for record in records:
            kind, entry = record.entry.kind, record.entry
            if kind is _MESSAGE:
                self._message(record, record.n, messages.get(record.n), out)
            elif kind is Kind.TICK:
                stopped = entry.payload == BEGINS and 0 < self.tick_ns < entry.at_ns
                stopped_ns = entry.at_ns - self.tick_ns if stopped else 0
                out.append(Tick(n=record.n, at_ns=entry.at_ns, stopped_ns=stopped_ns))
                self.tick_ns = entry.at_ns
                out += [_unexplained(late) for late in self.parking.expired(entry.at_ns)]
            elif kind is Kind.ACTION:
                action = msgspec.json.decode(entry.payload)
                who, what, when = action["machine"], action["component"], action["at_ns"]
                out.append(Restart(who, what, when, record.n))
            elif kind is Kind.ASIDE:
                out.append(_aside(record))
        return out

    def _message(self, record: Record, n: int, message: Message | None, out: list[Item]) -> None:
        """Take a record that counts at position `n`: later than its own if it had to wait."""
        topic = topics.parse(record.entry.topic)
        if message is None:
            try:
                message = codec.decode(topic, record.entry.payload)
            except ContractError as error:
                # Readable when it was taken; a stricter reader of today sets it aside.
                out.append(_set_aside(record, error.reason, error.detail, record.entry.payload))
                return
        if isinstance(message, Batch):
            self._batch(topic, message, record, n, out)
        elif isinstance(message, Birth):
            self._birth(topic.identity, message, record, out)
        elif isinstance(message, Answer):
            out.append(_answered(topic, message, record))

    def _birth(self, identity: str, birth: Birth, record: Record, out: list[Item]) -> None:
        device = self._devices.get(identity)
        if device is None:
            device = self._devices[identity] = _Device()
        device.learn(birth)
        self._data_time.setdefault(identity, birth.time == "data")
        units = by_machine(birth)
        for key, ref in device.machines.items():
            out.append(self._register(identity, key, ref, record.entry.at_ns, units[key]))
        for waiting in self.parking.take(identity, birth.dictionary):
            self._message(waiting, record.n, None, out)

    def _register(
        self, identity: str, key: str, ref: MachineRef, at_ns: int, units: Units = ()
    ) -> Registration:
        machine = machine_id(identity, key)
        clock: Literal["wall", "data"] = "data" if self.data_time(identity) else "wall"
        return Registration(machine, identity, ref.profile, ref.name, at_ns, clock, units)

    def _batch(
        self, topic: topics.Topic, batch: Batch, record: Record, n: int, out: list[Item]
    ) -> None:
        identity, entry = topic.identity, record.entry
        device = self._devices.get(identity)
        if device is None:
            device = self._devices[identity] = _Device()
            if batch.dictionary is None:
                out.append(self._register(identity, "", MachineRef(), entry.at_ns))
        machines: Mapping[str, MachineRef] | None = device.machines
        if batch.dictionary is not None:
            machines = device.dictionaries.get(batch.dictionary)
        if machines is None:
            assert batch.dictionary is not None
            if not self.parking.add(identity, batch.dictionary, record):
                out.append(_unexplained(record))
            return
        if batch.broken:
            out += _broken(record, batch)
        times, doubtful = self._times(identity, batch, entry.at_ns)
        made = columns.take(batch, entry.skip, entry.take)
        if made.rows < batch.count:
            times = times[entry.skip :][: made.rows].copy()
        boot, seq = batch.boot or UNNUMBERED, batch.seq or 0
        if not batch.guaranteed:
            boot, seq = UNNUMBERED, record.n << 17
        for key, part in columns.by_machine(made, machines).items():
            if doubtful:
                part.mark(UNCERTAIN)
            new = Block(
                n=n,
                machine=machine_id(identity, key),
                device=identity,
                boot=boot,
                stream=topic.channel[1],
                seq=seq + entry.skip,
                times_ns=times,
                received_ns=entry.at_ns,
                signals=part.names,
                columns=part.arrays,
                quality=part.quality,
                missing=part.missing,
                historical=batch.historical,
            )
            out.append(new)

    def _times(
        self, identity: str, batch: Batch, received_ns: int
    ) -> tuple[NDArray[np.int64], bool]:
        """Return the samples' times and whether the clock had to be put right."""
        offsets, read = batch.offsets_ns, batch.columns
        if isinstance(offsets, array):  # they need not grow: every one of them counts
            steps = np.frombuffer(offsets, dtype=np.int64)
            first, newest = int(steps.min()), int(steps.max())
        else:
            steps = _steps(batch.count, offsets)
            last = (batch.count - 1) * offsets
            first, newest = (0, last) if last >= 0 else (last, 0)
        t0_ns = batch.t0_ns
        if t0_ns is None:
            return steps + (received_ns - newest), False
        latest = received_ns + FUTURE_NS
        if received_ns < BUILT_NS:  # our clock was not set yet
            latest = BUILT_NS + SPAN_NS
        plausible = t0_ns + first >= BUILT_NS and t0_ns + newest <= latest
        data_time = self.data_time(identity)
        if plausible and not data_time:
            self.told_ns = max(self.told_ns, t0_ns + newest)
        if plausible or data_time:
            made = read.times_ns if type(read) is Sheet else None
            return steps + t0_ns if made is None else made, False
        return self._corrected(identity, batch, steps, received_ns), True

    def _corrected(
        self, identity: str, batch: Batch, steps: NDArray[np.int64], received_ns: int
    ) -> NDArray[np.int64]:
        """Put a plainly wrong clock right; a reading is never refused for its time.

        With a monotonic time, the smallest distance seen in this boot between arrival and it says
        when the boot began (arrivals are only ever late), so that a backlog keeps its spacing.
        Without one, the newest sample is as old as its arrival. What the service's own clock says
        before it is set tells nothing of a boot.
        """
        newest = int(steps.max())
        if batch.mono_ns is None or not 0 <= batch.mono_ns + newest <= received_ns:
            return steps + (received_ns - newest)
        ours_is_wrong, up_ns = received_ns < BUILT_NS, batch.mono_ns + newest
        distance = received_ns - up_ns
        boot, known = self._began.get(identity, (None, distance))
        if boot == batch.boot and known + up_ns >= BUILT_NS:
            distance = known if ours_is_wrong else min(distance, known)
        if not ours_is_wrong:
            self._began[identity] = (batch.boot, distance)
        mapped: NDArray[np.int64] = steps + (batch.mono_ns + distance)
        return mapped

    def knows(self, identity: str, dictionary: str) -> bool:
        """Return whether a birth has explained the columns of such batches."""
        device = self._devices.get(identity)
        return device is not None and dictionary in device.dictionaries

    def announced(self) -> Iterator[tuple[str, str, Literal["wall", "data"]]]:
        """Yield (machine, profile, clock) as births said it, the newest word on a machine last."""
        for identity, device in self._devices.items():
            clock: Literal["wall", "data"] = "data" if self.data_time(identity) else "wall"
            for machines in device.dictionaries.values():
                for key, ref in machines.items():
                    yield machine_id(identity, key), ref.profile, clock

    def dump(self) -> list[list[Any]]:
        """Return what must be remembered; records that wait are named by position."""
        return [
            [
                identity,
                device.machines,
                list(device.dictionaries.items()),
                self.parking.positions(identity),
                self._data_time.get(identity),
                self._began.get(identity),
            ]
            for identity, device in self._devices.items()
        ]

    def load(self, rows: list[list[Any]], records: Mapping[int, Record]) -> None:
        """Take over `dump`; `records` are the ones that were waiting."""
        for identity, machines, dictionaries, parked, data_time, began in rows:
            read = msgspec.convert(
                {"machines": machines, "dictionaries": dict(dictionaries)}, _Device
            )
            known: _Dictionaries = {
                sys.intern(name): _shared(of) for name, of in read.dictionaries.items()
            }
            if len(known) == 1:
                known = _alone(*next(iter(known.items())))
            self._devices[sys.intern(identity)] = _Device(_shared(read.machines), known)
            for dictionary, n in parked:
                if n in records:
                    self.parking.add(identity, dictionary, records[n])
            if data_time is not None:
                self._data_time[identity] = data_time
            if began:
                self._began[identity] = (began[0], began[1])


@lru_cache(maxsize=64)
def _steps(count: int, step_ns: int) -> NDArray[np.int64]:
    """Return the offsets (count,) of a constant step; not to be changed."""
    steps = np.arange(count, dtype=np.int64) * step_ns
    steps.flags.writeable = False
    return steps


def _answered(topic: topics.Topic, answer: Answer, record: Record) -> Answered:
    return Answered(
        n=record.n,
        device=topic.identity,
        id=answer.id,
        state=answer.state,  # type: ignore[arg-type]
        status=answer.status,
        text=None if answer.text is None else _words(answer.text),
        result=dict(answer.result),
        at_ns=answer.at_ns,
        heard_ns=record.entry.at_ns,
    )


def _broken(record: Record, batch: Batch) -> list[Aside]:
    """Return the columns of a batch that could not be read."""
    return [
        _set_aside(record, part.reason, f"{part.name}: {part.detail}", part.raw)
        for part in batch.broken
    ]


def _unexplained(record: Record) -> Aside:
    return _set_aside(
        record,
        Reason.UNKNOWN_DICTIONARY,
        "no birth with this dictionary came; publish the birth before the first batch",
        record.entry.payload,
    )
