"""Plug-in detectors beside the core: their scores become one more column, `detector:NAME`.

So N of M, hysteresis and telling are the core's own. They are in the shadow: a condition with
`Check.DETECTOR` of severity 1, no part in state, health or the fused score. What they learned is
Python's and not in a snapshot; after a restore they learn again from the rows that follow (replay
the journal from its beginning to have the same scores). They cost Python time for every row: give
them to few machines.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.anomaly.detector import Detector, Factory
from models.fleet.lanes import DETECTED
from models.profile import Profile
from models.rows import Block, Tick

BAD_QUALITY = 2


class Shadow:
    """The plug-in detectors of all machines. `detectors`: profile -> name -> factory."""

    def __init__(self, detectors: Mapping[str, Mapping[str, Factory]]) -> None:
        self._factories = detectors
        self._made: dict[str, dict[str, Detector]] = {}
        self._last_ns: dict[str, int] = {}

    def widened(
        self, rows: Sequence[Block | Tick], profile_of: Callable[[str], Profile]
    ) -> list[Block | Tick]:
        """Return blocks with what the detectors say of them, and ticks as they are, in order."""
        return [
            self._widen(item, profile_of(item.machine).name) if isinstance(item, Block) else item
            for item in rows
        ]

    def _widen(self, block: Block, profile: str) -> Block:
        """Return the block with a column of scores (n,) for each detector of the profile."""
        factories = self._factories.get(profile)
        if not factories:
            return block
        made = self._made.get(block.machine)
        if made is None:
            made = self._made[block.machine] = {name: new() for name, new in factories.items()}
        scores = np.full((len(made), len(block)), np.nan)
        last = self._last_ns.get(block.machine, block.times_ns[0])
        values = _readable(block)
        for i, t in enumerate(block.times_ns.tolist()):
            if t < last:
                continue  # late: never learned, as in the core
            last = t
            row = {name: float(v[i]) for name, v in values.items() if np.isfinite(v[i])}
            for k, detector in enumerate(made.values()):
                scores[k, i] = detector.score_one(row)
                detector.learn_one(row)
        self._last_ns[block.machine] = int(last)
        return msgspec.structs.replace(
            block,
            signals=(*block.signals, *(DETECTED + name for name in made)),
            columns=(*block.columns, *scores),
        )


def _readable(block: Block) -> dict[str, NDArray[np.float64]]:
    """Return each signal's values, bad and missing ones as NaN."""
    found = {}
    for name, column in zip(block.signals, block.columns, strict=True):
        values = column.astype(np.float64)
        if name in block.quality:
            values[block.quality[name] >= BAD_QUALITY] = np.nan
        if name in block.missing:
            values[block.missing[name]] = np.nan
        found[name] = values
    return found
