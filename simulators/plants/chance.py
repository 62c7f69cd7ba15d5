"""Chance: one independent stream a machine, so that no machine's fate depends on another's."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from simulators.plants.plant import Array


def streams(seed: int, keys: Sequence[str], purpose: str) -> list[np.random.Generator]:
    """Return a generator for each key. Seed, key and purpose alone decide what it gives."""
    return [
        np.random.default_rng(
            np.random.SeedSequence(seed, spawn_key=(number(purpose), number(key)))
        )
        for key in keys
    ]


def number(text: str) -> int:
    """Return a 64-bit number that stands for a text, the same on every computer."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def lognormal(sources: Sequence[np.random.Generator], median: float, spread: float) -> Array:
    """Draw one positive number a machine (m,); `spread` is the standard deviation of its log."""
    return np.array([median * float(np.exp(spread * s.standard_normal())) for s in sources])


def wandering(sources: Sequence[np.random.Generator], days: int, memory: float) -> Array:
    """Draw a first-order autoregressive series a machine: (days, m), variance 1.

    `memory` is the correlation from one day to the next.
    """
    steps = np.stack([s.standard_normal(days) for s in sources], axis=1)
    fresh = np.sqrt(1.0 - memory**2)
    for day in range(1, days):
        steps[day] = memory * steps[day - 1] + fresh * steps[day]
    return steps


class Noise:
    """Standard normal numbers, `width` for each machine and row, in the order of the rows."""

    def __init__(self, sources: Sequence[np.random.Generator], width: int) -> None:
        self._sources = sources
        self._width = width

    def draw(self, rows: int) -> Array:
        """Return (rows, m, width); two draws of 1 row give what one draw of 2 rows gives."""
        out = np.empty((rows, len(self._sources), self._width))
        for machine, source in enumerate(self._sources):
            out[:, machine] = source.standard_normal((rows, self._width))
        return out
