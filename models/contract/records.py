"""The messages that are not batches: to and from their shape on the wire."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

import msgspec

from models.contract.columns import check_version, clock
from models.contract.errors import BadPayload, Reason
from models.contract.messages import (
    Answer,
    Birth,
    Clock,
    Command,
    Event,
    Gap,
    MachineRef,
    Metric,
    Receipt,
    Refusal,
    State,
)
from models.contract.times import instant_ns
from models.contract.wire import (
    MAX_RANGES,
    AnswerWire,
    BirthWire,
    ClockWire,
    CommandWire,
    EventWire,
    GapWire,
    MachineWire,
    MetricWire,
    ReceiptWire,
    StateWire,
)

TYPE_NAMES: Final = {"d": "float64", "f": "float32", "q": "int64", "?": "bool"}
TYPES: Final = {name: kind for kind, name in TYPE_NAMES.items()}
REASONS: Final = frozenset(reason.value for reason in Reason)
KINDS: Final = frozenset({"gauge", "counter", "state", "waveform", "consumable"})

Wire = BirthWire | StateWire | EventWire | GapWire | ReceiptWire | CommandWire | AnswerWire
Record = Birth | State | Event | Gap | Receipt | Command | Answer


def dictionary_hash(metrics: Sequence[Metric]) -> str:
    """Return `dh`: 8 hex digits that change when the dictionary does, whatever its order."""
    lines = sorted(msgspec.json.encode(_metric_to_wire(metric)) for metric in metrics)
    check = zlib.crc32(b"\n".join(lines))
    return f"{check:08x}"


def from_wire(wire: Wire, event: str) -> Record:
    """Return the message of its wire shape; `event` is the type that the topic gives an event."""
    check_version(wire.v)
    match wire:
        case BirthWire():
            return _birth(wire)
        case StateWire():
            return State(online=wire.online, boot=wire.boot)
        case EventWire():
            _check_plain(wire.fields)
            at_ns = None if wire.at is None else instant_ns(wire.at)
            return Event(type=event, at_ns=at_ns, text=wire.text, fields=wire.fields)
        case CommandWire() | AnswerWire():
            return _errand(wire)
        case GapWire():
            ranges = _ranges(wire.ranges)
            return Gap(boot=wire.boot, stream=wire.stream, ranges=ranges, reason=wire.reason)
        case ReceiptWire():
            _ranges([(a, b) for a, b, _ in wire.refused])
            return Receipt(
                boot=wire.boot,
                stream=wire.stream,
                hwm=wire.hwm,
                missing=_ranges(wire.missing),
                refused=tuple(
                    Refusal(first=a, last=b, code=_reason(code)) for a, b, code in wire.refused
                ),
                credit=wire.credit,
            )


def to_wire(message: Record) -> Wire:
    """Return the wire shape of a message."""
    match message:
        case Receipt():  # nearly all are
            # Holes beyond the limit are asked for once the first ones are filled.
            return ReceiptWire(
                boot=message.boot,
                stream=message.stream,  # type: ignore[arg-type]
                hwm=message.hwm,
                missing=list(message.missing[:MAX_RANGES]),
                refused=[(r.first, r.last, r.code) for r in message.refused[:MAX_RANGES]],
                credit=message.credit,
            )
        case Birth():
            return _birth_to_wire(message)
        case State():
            return StateWire(online=message.online, boot=message.boot)
        case Event():
            return EventWire(at=message.at_ns, text=message.text, fields=dict(message.fields))
        case Command() | Answer():
            return _errand_to_wire(message)
        case Gap():
            return GapWire(
                boot=message.boot,
                stream=message.stream,  # type: ignore[arg-type]
                ranges=list(message.ranges),
                reason=message.reason,
            )


def _errand(wire: CommandWire | AnswerWire) -> Command | Answer:
    if isinstance(wire, CommandWire):
        if (wire.key is None) != (wire.sig is None):
            raise BadPayload(Reason.WRONG_TYPE, "key and sig: give both or neither")
        signature = None if wire.sig is None else b64decode(wire.sig)
        return Command(text=wire.command, key=wire.key, signature=signature)
    _check_plain(wire.result)
    return Answer(
        id=wire.id,
        state=wire.state,
        status=wire.status,
        at_ns=instant_ns(wire.at),
        text=wire.text,
        result=wire.result,
    )


def _errand_to_wire(message: Command | Answer) -> CommandWire | AnswerWire:
    if isinstance(message, Command):
        sig = None if message.signature is None else b64encode(message.signature).decode()
        return CommandWire(command=message.text, key=message.key, sig=sig)
    return AnswerWire(
        id=message.id,
        state=message.state,  # type: ignore[arg-type]
        status=message.status,
        at=message.at_ns,
        text=message.text,
        result=dict(message.result),
    )


def _ranges(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    for first, last in ranges:
        if first > last:
            raise BadPayload(Reason.WRONG_TYPE, f"range [{first}, {last}] ends before it begins")
    return tuple(ranges)


def _reason(code: str) -> Reason:
    """Return a refusal's code; one of a later version is as permanent as `unreadable`."""
    return Reason(code) if code in REASONS else Reason.UNREADABLE


def _birth(wire: BirthWire) -> Birth:
    metrics = tuple(_metric(metric) for metric in wire.metrics)
    if len({metric.name for metric in metrics}) < len(metrics):
        raise BadPayload(Reason.WRONG_TYPE, "metrics: a name stands twice")
    machines = {
        key: MachineRef(profile=machine.profile, name=machine.name)
        for key, machine in wire.machines.items()
    }
    return Birth(
        boot=wire.boot,
        dictionary=wire.dh or dictionary_hash(metrics),
        metrics=metrics,
        machines=machines or {"": MachineRef()},
        agent=wire.agent,
        firmware=wire.firmware,
        model=wire.model,
        clock=clock(wire.cq),
        capabilities=tuple(wire.capabilities),
        time=wire.time,
    )


def _metric(wire: MetricWire) -> Metric:
    for limit in (wire.low, wire.high):
        if limit is not None and not isfinite(limit):
            raise BadPayload(Reason.WRONG_TYPE, f"metric {wire.name}: give finite limits")
    return Metric(
        name=wire.name,
        type=TYPES[wire.type],
        unit=wire.unit,
        kind=wire.kind if wire.kind in KINDS else "gauge",
        low=wire.low,
        high=wire.high,
        states=wire.states,
    )


def _birth_to_wire(birth: Birth) -> BirthWire:
    return BirthWire(
        boot=birth.boot,
        dh=birth.dictionary,
        metrics=[_metric_to_wire(metric) for metric in birth.metrics],
        machines={
            key: MachineWire(profile=machine.profile, name=machine.name)
            for key, machine in birth.machines.items()
        },
        agent=birth.agent,
        firmware=birth.firmware,
        model=birth.model,
        cq=clock_to_wire(birth.clock),
        capabilities=list(birth.capabilities),
        time=birth.time,  # type: ignore[arg-type]
    )


def _metric_to_wire(metric: Metric) -> MetricWire:
    return MetricWire(
        name=metric.name,
        type=TYPE_NAMES[metric.type],  # type: ignore[arg-type]
        unit=metric.unit,
        kind=metric.kind,
        low=metric.low,
        high=metric.high,
        states=None if metric.states is None else dict(metric.states),
    )


def clock_to_wire(value: Clock | None) -> ClockWire | None:
    """Return the wire shape of the clock's quality."""
    return None if value is None else ClockWire(src=value.src, err=value.err_ns)


def _check_plain(value: Any) -> None:
    """Refuse what JSON cannot say: tags, byte strings, odd numbers, keys that are not text."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                raise BadPayload(Reason.WRONG_TYPE, "fields: give text keys")
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif not (
            item is None
            or isinstance(item, str | bool)
            or (isinstance(item, int) and -(2**63) <= item < 2**63)
            or (isinstance(item, float) and isfinite(item))
        ):
            raise BadPayload(Reason.WRONG_TYPE, "fields: give text, numbers, bools, lists, maps")
