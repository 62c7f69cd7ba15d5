"""What a telemetry store must answer, in plain Python: slow, small, and easy to believe.

The conformance suite (`checks`) compares stores with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cloud.telemetry import Latest
from models.rows import Block


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one signal. `value` is None when missing."""

    at_ns: int
    value: float | int | bool | None
    quality: int
    live: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket; `sum` is exact to the last bit but one."""

    start_ns: int
    first: float
    last: float
    min: float
    max: float
    sum: float
    count: int
    first_ns: int
    last_ns: int
    min_ns: int
    max_ns: int
    quality: int


class Reference:
    """A store that keeps lists of samples in order of arrival."""

    def __init__(self) -> None:
        self.position = -1
        self._signals: dict[tuple[str, str], list[Sample]] = {}
        self._rows: dict[str, int] = {}

    def write(self, blocks: Sequence[Block], position: int) -> None:
        """Take blocks, unless the position has been reached already."""
        if position <= self.position:
            return
        self.position = position
        for block in blocks:
            self._rows[block.machine] = self._rows.get(block.machine, 0) + len(block)
            for name, column in zip(block.signals, block.columns, strict=True):
                quality = block.quality.get(name, np.zeros(len(block), np.uint8)).tolist()
                missing = block.missing.get(name, np.zeros(len(block), np.bool_)).tolist()
                mine = self._signals.setdefault((block.machine, name), [])
                for at_ns, value, mark, gone in zip(
                    block.times_ns.tolist(), column.tolist(), quality, missing, strict=True
                ):
                    absent = gone or (isinstance(value, float) and math.isnan(value))
                    known = None if absent else value
                    mine.append(Sample(at_ns, known, mark, not block.historical))

    def series(
        self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int
    ) -> list[Sample]:
        """Return samples in time order, ties in order of arrival (the sort is stable)."""
        mine = self._signals.get((machine, signal), [])
        inside = [sample for sample in mine if start_ns <= sample.at_ns < end_ns]
        return sorted(inside, key=lambda sample: sample.at_ns)[:limit]

    def latest(self, machine: str) -> list[Latest]:
        """Return the newest live sample of each signal; at equal times the later arrival."""
        out = []
        for signal in self.signals(machine):
            live = [s for s in self._signals[machine, signal] if s.live]
            if live:
                newest = sorted(live, key=lambda sample: sample.at_ns)[-1]
                value = None if newest.value is None else float(newest.value)
                out.append(
                    Latest(signal=signal, at_ns=newest.at_ns, value=value, quality=newest.quality)
                )
        return out

    def signals(self, machine: str) -> list[str]:
        """Return the signals of a machine, sorted."""
        return sorted(signal for name, signal in self._signals if name == machine)

    def erase(self, machine: str) -> int:
        """Forget a machine; return how many samples (rows) it had."""
        for key in [key for key in self._signals if key[0] == machine]:
            del self._signals[key]
        return self._rows.pop(machine, 0)

    def buckets(
        self, machine: str, signal: str, start_ns: int, end_ns: int, width_ns: int
    ) -> list[Bucket]:
        """Reduce raw samples; missing ones count for the worst quality only."""
        by_start: dict[int, list[Sample]] = {}
        for sample in self.series(machine, signal, start_ns, end_ns, 2**62):
            by_start.setdefault(sample.at_ns // width_ns * width_ns, []).append(sample)
        return [
            _bucket(start, samples)
            for start, samples in by_start.items()
            if any(sample.value is not None for sample in samples)
        ]


def _bucket(start_ns: int, samples: list[Sample]) -> Bucket:
    known = [(float(s.value), s.at_ns) for s in samples if s.value is not None]
    low = min(known, key=lambda pair: pair[0])
    high = max(known, key=lambda pair: pair[0])
    return Bucket(
        start_ns=start_ns,
        first=known[0][0],
        last=known[-1][0],
        min=low[0],
        max=high[0],
        sum=_sum([value for value, _ in known]),
        count=len(known),
        first_ns=known[0][1],
        last_ns=known[-1][1],
        min_ns=low[1],
        max_ns=high[1],
        quality=max(sample.quality for sample in samples),
    )


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return sum(values)
