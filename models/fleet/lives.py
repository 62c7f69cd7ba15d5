"""The lives of all machines' parts: estimated when their past has grown, told when they moved."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from models.assessment import Life
from models.fleet.ages import Ages
from models.fleet.estimate import HELD, moved
from models.fleet.lanes import grown
from models.fleet.layout import LIFE
from models.fleet.renewal import Lines
from models.fleet.wear import Wears
from models.life import online
from models.life.predictor import GROUP, PREDICTORS, Band, LifePredictor, Past
from models.plugins import find
from models.profile import Consumable, Profile

WEARS: Final = frozenset({"wear", "counter"})  #: bases that are followed reading by reading
NEW_PART: Final = 0.3  #: an indicator that falls back by this share of its range shows a new part
Key = tuple[int, str, str]  #: machine number, component, basis
Names = tuple[tuple[str, str], ...]  #: component, basis


def parts(profile: Profile) -> Iterator[tuple[str, str, str, Consumable]]:
    """Yield (component, basis, signal, part) of everything whose life can be read."""
    for component, part in profile.consumables.items():
        if part.indicator is not None and online.measured(part):
            yield component, "wear", part.indicator, part
            continue
        if part.counter is not None and part.rated is not None:
            yield component, "counter", part.counter, part
        if part.indicator is not None and part.limit is not None:
            yield component, "trend", part.indicator, part
        if part.counter is None and part.indicator is None and part.life_d is not None:
            yield component, "hazard", "", part


class Lives:
    """Bands of time until parts reach their limits, one row a (machine, component, basis)."""

    def __init__(self, told_share: float) -> None:
        self._told_share = told_share
        self._rows: NDArray[Any] = np.zeros(0, LIFE)
        self._first: NDArray[np.int64] = np.zeros(0, np.int64)  # of each machine, -1 none
        self._wears = Wears()
        self._ages = Ages()
        self._at: dict[Key, int] = {}  # in the order of the rows
        self._of: list[Names] = []  # of each machine, also those that its profile knows no more
        self._same: dict[Names, Names] = {}  # thousands of machines of a type have the same
        self._predictors: dict[str, LifePredictor] = {}

    def follow(self, number: int, profile: Profile, signals: Mapping[str, int]) -> None:
        """Keep a row for each life that can be read on a machine."""
        before = len(self._first)
        self._first = grown(self._first, number)
        self._first[before:] = -1
        for _, row in self._all(number):
            self._wears.drop(row)
        last = self._first[number] = -1
        for component, basis, signal, part in parts(profile):
            row = self._row(number, component, basis)
            self._rows = grown(self._rows, row)
            self._rows[row]["machine"] = number
            kind = (profile.name, component)
            self._ages.follow(row, kind, part if basis == "hazard" else None)
            self._rows[row]["lane"] = signals[signal] if signal else -1
            self._wears.follow(row, kind, basis, part, signals)
            if last < 0:
                self._first[number] = row
            else:
                self._wears.link(last, row)
            last = row

    def _row(self, number: int, component: str, basis: str) -> int:
        """Return the row of a life, the next one at first sight."""
        row = self._at.setdefault((number, component, basis), len(self._at))
        self._of += [()] * (number + 1 - len(self._of))
        if (component, basis) not in self._of[number]:
            names = (*self._of[number], (component, basis))
            self._of[number] = self._same.setdefault(names, names)
        return row

    def _all(self, number: int) -> Iterator[tuple[tuple[str, str], int]]:
        """Yield component, basis and row of all lives of a machine."""
        for names in self._of[number] if number < len(self._of) else ():
            yield names, self._at[number, *names]

    def lines(self) -> Lines:
        """Return the rows as the compiled code takes them; anew after each `follow`."""
        return self._wears.lines(self._first, self._rows)

    def trends(
        self, number: int, profile: Profile, lanes: NDArray[Any], histories: NDArray[Any]
    ) -> bool:
        """Estimate the trends that have new points; True when a band moved enough to be told."""
        told = False
        for component, basis, _, part in parts(profile):
            index = self._at[number, component, basis]
            if basis != "trend" or not self._wears.asked(index):
                continue
            row = self._rows[index]
            lane = lanes[row["lane"]]
            history = histories[lane["history"]]
            _renewed(history, part, float(lane["spread"]))
            band = self._predictor(basis).predict(_past(history, lane), part)
            history["due"] = 0
            self._take(row, band, int(lane["last_ns"]))
            told |= moved(row, int(lane["last_ns"]), self._told_share)
        return told

    def read(self, number: int, profile: Profile, at_ns: int, lanes: NDArray[Any]) -> list[Life]:
        """Return the bands as seen at a time: one a component, the one that ends first."""
        found: dict[str, Life] = {}
        for component, basis, signal, _ in parts(profile):
            index = self._at[number, component, basis]
            mode = _mode(component, profile)
            if basis == "hazard":
                life = _aged(self._ages.band(index, at_ns), component, mode)
            else:
                names = (component, basis, signal)
                life = _life(self._rows[index], names, mode, at_ns, self._wears.rate(index))
                if life.p10_s is None and self._wears.heard(index, lanes, at_ns):
                    life = replace(life, coming=True)
            best = found.get(component)
            if best is None or _sooner(life, best):
                found[component] = life
        return list(found.values())

    def told(self, number: int, at_ns: int) -> None:
        """Remember what was told of a machine."""
        for _, index in self._all(number):
            row = self._rows[index]
            self._ages.heard(index, at_ns)
            row["told_known"], row["told_ns"] = row["known"], at_ns
            row["told_s"] = _left(row, "p50_s", at_ns) if row["known"] else 0.0

    def renew(self, number: int, component: str | None, at_ns: int) -> None:
        """Forget the bands of a component (None: of all): the part is new since `at_ns`."""
        for (name, basis), index in self._all(number):
            if component in (None, name):
                self._rows[index]["known"] = 0
                self._rows[index]["fraction"] = np.nan
                self._ages.renew(index, at_ns)
                if basis in WEARS:
                    self._wears.renew(self.lines(), index)

    def dump(self) -> dict[str, NDArray[Any]]:
        """Return the rows, as they stand, and their names as arrays."""
        return {
            "lives": self._rows[: len(self._at)],
            "components": np.array([component for _, component, _ in self._at], "U"),
            "bases": np.array([basis for _, _, basis in self._at], "U"),
            **self._wears.dump(len(self._at)),
            **self._ages.dump(),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the rows of `dump`."""
        self._rows = arrays["lives"].copy()
        self._wears.load(arrays)
        self._ages.load(arrays)
        for i, row in enumerate(self._rows):
            component, basis = str(arrays["components"][i]), str(arrays["bases"][i])
            self._row(int(row["machine"]), sys.intern(component), sys.intern(basis))

    def _predictor(self, basis: str) -> LifePredictor:
        found = self._predictors.get(basis)
        if found is None:
            found = self._predictors[basis] = find(PREDICTORS, GROUP, basis)()
        return found

    def _take(self, row: Any, band: Band | None, at_ns: int) -> None:
        """Write an estimate down; one without a result ends a band only when others follow it."""
        if band is not None and band.fraction is not None:
            row["fraction"] = band.fraction
        if band is None or not band.known:
            row["misses"] += 1
            if row["known"] and row["misses"] >= HELD:
                row["known"] = 0
            return
        row["known"], row["misses"], row["at_ns"] = 1, 0, at_ns
        row["p10_s"], row["p50_s"], row["p90_s"] = band.p10_s, band.p50_s, band.p90_s
        row["slope"] = np.nan if band.slope_per_s is None else band.slope_per_s


def _past(history: Any, lane: Any) -> Past:
    count = int(history["points"])
    counter = bool(history["counter"])
    value = history["raw"] - history["base"] - history["start"] if counter else lane["fast"]
    return Past(
        times_s=history["time"][:count].copy(),
        values=history["value"][:count].copy(),
        now_s=(int(lane["last_ns"]) - int(history["first_ns"])) * 1e-9,
        value=float(value),
    )


def _renewed(history: Any, part: Consumable, spread: float) -> None:
    """Begin the trend anew when the indicator fell back: someone put a new part in."""
    count = int(history["points"])
    if count < 6 or part.limit is None:
        return
    sign = 1.0 if part.worse == "high" else -1.0
    values = sign * history["value"][:count]
    low, before, now = values.min(), np.median(values[-5:-2]), values[-2:].max()
    if before - now > max(NEW_PART * (sign * part.limit - low), 6.0 * spread):
        forget_past(history, keep=2)


def begin_past(history: Any) -> None:
    """Begin the past of a signal anew: what it speaks of is new."""
    if history["counter"]:
        history["start"] = history["raw"] - history["base"]
    else:
        forget_past(history)


def forget_past(history: Any, keep: int = 0) -> None:
    """Drop all but the newest points of a history."""
    count = int(history["points"])
    for field in ("time", "value"):
        history[field][:keep] = history[field][count - keep : count]
    history["points"] = keep
    history["levels"] = 0
    history["levels"][0] = keep
    history["kept"] = 0
    history["estimate_ns"] = 0


def _mode(component: str, profile: Profile) -> str:
    """Name the failure mode that a component's life counts down to ("": none)."""
    modes = (n for n, m in profile.failure_modes.items() if m.component == component and m.life)
    return next(modes, "")


def _left(row: Any, field: str, at_ns: int) -> float:
    return max(float(row[field]) - (at_ns - int(row["at_ns"])) * 1e-9, 0.0)


def _life(row: Any, names: tuple[str, str, str], mode: str, at_ns: int, rate: float | None) -> Life:
    component, basis, signal = names
    known, slope = bool(row["known"]), float(row["slope"])
    fraction = float(row["fraction"])
    heard = int(row["at_ns"]) > 0 or fraction > 0.0
    return Life(
        component=component,
        mode=mode,
        basis=basis,
        p10_s=_left(row, "p10_s", at_ns) if known else None,
        p50_s=_left(row, "p50_s", at_ns) if known else None,
        p90_s=_left(row, "p90_s", at_ns) if known else None,
        fraction=fraction if heard and np.isfinite(fraction) else None,
        signal=signal,
        slope_per_s=slope if known and np.isfinite(slope) else None,
        rate=rate if known else None,
    )


def _aged(found: tuple[str, Band | None], component: str, mode: str) -> Life:
    basis, band = found
    return Life(
        component=component,
        mode=mode,
        basis=basis,
        p10_s=band.p10_s if band else None,
        p50_s=band.p50_s if band else None,
        p90_s=band.p90_s if band else None,
        fraction=band.fraction if band else None,
    )


def _sooner(life: Life, other: Life) -> bool:
    if life.p50_s is None or other.p50_s is None:
        return life.p50_s is not None
    return life.p50_s < other.p50_s
