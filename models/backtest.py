"""A recording through the very code that scores live machines, in one causal pass.

The recording is one machine of the generic kind on its own clock. Nothing is known of it before:
no labels, no limits, no other recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assessment import Assessment, Check
from models.fleet import Config, Fleet, Trace
from models.profile import Profile, Signal
from models.rows import Block
from models.words import explain

MACHINE: Final = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in some rows, arrays (n,).

    `score`: 0..1, strictly below 1, 0.5 where the evidence reaches the limit of an alarm; `alarm`:
    bool, something changed now; `state`: bool, held to be in a state of fault. `reasons`: row in
    these rows -> why, in words.
    """

    score: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    state: NDArray[np.bool_]
    reasons: dict[int, str]


class Backtest:
    """Scores one recording piece by piece; how it is cut changes nothing.

    `signals`: names of the columns, only for words. `lang`: of the reasons.
    """

    def __init__(
        self, signals: Sequence[str], lang: str = "en", config: Config | None = None
    ) -> None:
        self._names = tuple(str(i) for i in range(len(signals)))
        titled = zip(self._names, signals, strict=True)
        self._profile = Profile(
            name=MACHINE,
            version=1,
            title={"en": "Recording", "zh": "记录"},
            signals={key: Signal(title={"en": name, "zh": name}) for key, name in titled},
        )
        self._lang = lang
        self._fleet = Fleet({MACHINE: self._profile}, config)
        self._fleet.bind(MACHINE, MACHINE, "data")
        self._rows = 0
        self._newest_ns = 0
        self._shift_ns = 0

    def take(self, times_ns: NDArray[np.int64], columns: Sequence[NDArray[np.float64]]) -> Found:
        """Score the next rows. `times_ns` (n,) as recorded, `columns` k arrays (n,), NaN a gap."""
        if not len(times_ns):
            none = np.zeros(0)
            return Found(score=none, alarm=none > 0, state=none > 0, reasons={})
        times = self._forward(times_ns)
        block = Block(
            n=self._rows,
            machine=MACHINE,
            device=MACHINE,
            boot=MACHINE,
            stream=MACHINE,
            seq=self._rows,
            times_ns=times,
            received_ns=int(times[-1]),
            signals=self._names,
            columns=tuple(columns),
        )
        trace = Trace()
        told = self._fleet.observe([block], trace)
        self._rows += len(times)
        [strength], [alarm], [state] = trace.strengths, trace.alarms, trace.faulty
        return Found(
            score=strength / (1.0 + strength),
            alarm=alarm,
            state=state,
            reasons=self._reasons(np.flatnonzero(alarm), times, told),
        )

    def _forward(self, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the times with steps back taken out: a clock that was set back goes on from there.

        Once the recorded time is beyond all others again, it counts as it is.
        """
        newest = self._newest_ns if self._rows else int(times_ns[0])
        if self._shift_ns == 0 and times_ns[0] >= newest and (np.diff(times_ns) >= 0).all():
            self._newest_ns = int(times_ns[-1])
            return times_ns
        out = np.empty_like(times_ns)
        shift = self._shift_ns
        for i, t in enumerate(times_ns.tolist()):
            if t >= newest:
                shift = 0
            elif t + shift < newest:
                shift = newest - t
            newest = out[i] = t + shift
        self._newest_ns, self._shift_ns = int(newest), int(shift)
        return out

    def _reasons(
        self, rows: NDArray[np.intp], times: NDArray[np.int64], told: Sequence[Assessment]
    ) -> dict[int, str]:
        """Return why each alarm was raised: the signals that began to be unusual."""
        said: dict[int, str] = {}
        for assessment in told:
            found = [c for c in assessment.conditions if c.check is Check.LEVEL and c.onset]
            if found:
                found.sort(key=lambda c: -c.score)
                words = [explain(c, self._profile, self._lang) for c in found]
                said[assessment.at_ns] = "; ".join(words)
        return {int(row): said.get(int(times[row]), "") for row in rows}
