"""The wear of all machines' parts, followed reading by reading; what old parts taught of new ones.

One row of `models.life.wiener.WEAR` a life, beside the rows of `models.fleet.lives`.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.axis import Axis, Norm
from models.fleet.lanes import grown
from models.fleet.persist import SnapshotError
from models.life import online
from models.life.predictor import Band
from models.life.replacement import NEW
from models.life.wiener import FINEST, PART, WEAR
from models.profile import Consumable

Kind = tuple[str, str]  #: profile, component
SHOWN: Final = 3  #: readings until a band is told
TAUGHT: Final = np.dtype([("parts", "f8"), ("rate", "f8")])  #: old parts, and their mean rate
PRIOR_PARTS: Final = 8.0  #: the profile's usual life counts as so many old parts
TEACHES: Final = 10  #: readings of an old part from which the fleet learns
MOST: Final = 3.0  #: one old part counts as at most so many spreads off


class Wears:
    """States of wear, the settings of each part, and the fleet's experience of each kind."""

    def __init__(self) -> None:
        self._wears: NDArray[Any] = np.zeros(0, WEAR)
        self._before: NDArray[Any] = np.zeros(0, WEAR)  # the old part, while a new one is on trial
        self._parts: NDArray[Any] = np.zeros(0, PART)
        self._indicator: NDArray[np.int64] = np.zeros(0, np.int64)  # lane, -1 none
        self._counter: NDArray[np.int64] = np.zeros(0, np.int64)  # lane, -1 none
        self._load: NDArray[np.int64] = np.zeros(0, np.int64)  # lane of the norm, -1 none
        self._kinds: list[Kind] = []
        self._kind_of: dict[int, int] = {}
        self._taught: NDArray[Any] = np.zeros(0, TAUGHT)

    def follow(self, row: int, kind: Kind, part: Consumable, signals: Mapping[str, int]) -> None:
        """Take a life into row `row`, with what the profile says of it."""
        for name in ("_wears", "_before", "_parts", "_indicator", "_counter", "_load"):
            setattr(self, name, grown(getattr(self, name), row))
        if kind not in self._kinds:
            self._kinds.append(kind)
            self._taught = grown(self._taught, len(self._kinds) - 1)
        self._kind_of[row] = self._kinds.index(kind)
        self._parts[row] = online.usual(part)[0]
        self._indicator[row] = signals[str(part.indicator)] if online.measured(part) else -1
        self._counter[row] = signals[str(part.counter)] if online.counted(part) else -1
        self._load[row] = signals[part.norm.by] if part.norm is not None else -1

    def estimate(
        self, row: int, part: Consumable, lanes: NDArray[Any], histories: NDArray[Any]
    ) -> Band | None:
        """Take the new points of a life's past and return its band; None: nothing to say yet."""
        axis = self._axis(row, part, lanes, histories)
        if self._indicator[row] < 0:
            if self._wears[row]["begun"] == 0:
                self._begin(row, part, axis, axis.now)
            return self._band(row, part, axis)
        lane = lanes[self._indicator[row]]
        past = histories[lane["history"]]
        norm = self._norm(row, part, lanes, histories)
        if self._wears[row]["begun"]:
            value = float(lane["last"]) * norm.now
            if np.isfinite(value):
                self._look(row, part, axis, value)
        elif past["points"]:
            self._begin(row, part, axis, float(axis.at(past["time"][:1])[0]))
        if not self._wears[row]["trial"]:
            self._read(row, part, axis, past, norm)
        self._set_line(row, part, axis, past, norm.now)
        return self._band(row, part, axis)

    def histories(self, row: int, lanes: NDArray[Any]) -> list[int]:
        """Return the histories that a life is read from."""
        sources = (int(self._indicator[row]), int(self._counter[row]))
        return [int(lanes[lane]["history"]) for lane in sources if lane >= 0]

    def renew(self, row: int) -> None:
        """The part is new: the fleet learns from the old one, and the row begins again."""
        self._teach(row, self._wears[row])
        last_s = float(self._wears[row]["last_s"])
        self._wears[row] = np.zeros(1, WEAR)[0]
        self._wears[row]["fresh"], self._wears[row]["last_s"] = 1, last_s

    def _look(self, row: int, part: Consumable, axis: Axis, value: float) -> None:
        """See whether the newest reading is a new part's; the next one confirms or refutes it."""
        wear = self._wears[row]
        if wear["trial"]:
            used = (axis.now - float(self._before[row]["start"])) / axis.scale
            if online.second(self._before, row, self._parts, row, used, value):
                wear["trial"] = 0
                self._teach(row, self._before[row])
            else:
                self._wears[row] = self._before[row]
            self._before[row] = np.zeros(1, WEAR)[0]
            return
        used = (axis.now - float(wear["start"])) / axis.scale
        fell = part.renews and axis.falls
        if online.judge(self._wears, row, self._parts, row, used, value, fell) != NEW:
            return
        self._before[row] = wear
        self._wears[row] = np.zeros(1, WEAR)[0]
        wear["fresh"], wear["trial"], wear["last_s"] = 1, 1, axis.now_s
        self._begin(row, part, axis, axis.now)

    def _read(self, row: int, part: Consumable, axis: Axis, past: Any, norm: Norm) -> None:
        """Take the points that are newer than the newest that was taken."""
        count = int(past["points"])
        times = past["time"][:count]
        values = past["value"][:count] * norm.at(times)
        fresh = (times > self._wears[row]["last_s"]) & np.isfinite(values)
        times, values = times[fresh], values[fresh]
        totals = axis.at(times)
        while len(times):
            uses = (totals - self._wears[row]["start"]) / axis.scale
            taken = online.take(self._wears, row, self._parts, row, times, uses, values)
            times, totals, values = times[taken:], totals[taken:], values[taken:]
            if len(times):
                self.renew(row)
                self._begin(row, part, axis, float(totals[0]))

    def _set_line(self, row: int, part: Consumable, axis: Axis, past: Any, factor: float) -> None:
        """Ask for an estimate at once when a reading falls back, and after one that did."""
        wear = self._wears[row]
        past["low"], past["high"] = -np.inf, np.inf
        if part.renews:
            axis.watch()
        if wear["trial"]:
            past["low"] = np.inf
        elif wear["begun"]:
            used = (axis.now - float(wear["start"])) / axis.scale
            side = "low" if part.worse == "high" else "high"
            line = online.line(self._wears, row, self._parts, row, used)
            past[side] = line / factor if np.isfinite(factor) else past[side]

    def _teach(self, row: int, wear: Any) -> None:
        """Let a part that is gone correct what the fleet knows of its kind."""
        variance = float(self._parts[row]["rate_var"])
        if not wear["begun"] or wear["points"] < TEACHES:
            return
        weight = max(1.0 - float(wear["rr"]) / variance, 0.0)
        off = MOST * variance**0.5
        rate = min(max(float(wear["r"]), 1.0 - off), 1.0 + off)
        kind = self._taught[self._kind_of[row]]
        kind["parts"] += weight
        if kind["parts"] > 0.0:
            kind["rate"] += weight / float(kind["parts"]) * (rate - float(kind["rate"]))

    def dump(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return the state as arrays; `rows` lives."""
        return {
            "wears": grown(self._wears, rows)[:rows].copy(),
            "wears_before": grown(self._before, rows)[:rows].copy(),
            "kinds": np.array(["/".join(kind) for kind in self._kinds], "U"),
            "taught": self._taught[: len(self._kinds)].copy(),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of `dump`; `SnapshotError` when they are of another version."""
        missing = {"wears", "wears_before", "kinds", "taught"} - set(arrays)
        if missing or arrays["wears"].dtype != WEAR or arrays["taught"].dtype != TAUGHT:
            raise SnapshotError("snapshot has other states of wear; rebuild from the journal")
        self._wears, self._before = arrays["wears"].copy(), arrays["wears_before"].copy()
        self._taught = arrays["taught"].copy()
        self._kinds = []
        for name in arrays["kinds"]:
            profile, _, component = str(name).partition("/")
            self._kinds.append((profile, component))

    def _axis(
        self, row: int, part: Consumable, lanes: NDArray[Any], histories: NDArray[Any]
    ) -> Axis:
        counter, main = int(self._counter[row]), int(self._indicator[row])
        lane = lanes[main if main >= 0 else counter]
        past = histories[lane["history"]]
        count = histories[lanes[counter]["history"]] if counter >= 0 else None
        return Axis(part, past, count, lane)

    def _norm(
        self, row: int, part: Consumable, lanes: NDArray[Any], histories: NDArray[Any]
    ) -> Norm:
        if self._load[row] < 0:
            return Norm(part, None, None, 0)
        lane = lanes[self._load[row]]
        past = histories[lanes[self._indicator[row]]["history"]]
        return Norm(part, histories[lane["history"]], lane, int(past["first_ns"]))

    def _begin(self, row: int, part: Consumable, axis: Axis, total: float) -> None:
        """Begin a part: one that was seen to be new, or the one that was there at first sight."""
        wear, kind = self._wears[row], self._taught[self._kind_of[row]]
        new = bool(wear["fresh"])
        counted, measured = self._counter[row] >= 0, self._indicator[row] >= 0
        parts = float(kind["parts"])
        self._parts[row]["rate"] = (PRIOR_PARTS + parts * float(kind["rate"])) / (
            PRIOR_PARTS + parts
        )
        wear["start"] = total if new or not counted else 0.0
        wear["noise"] = (0.6 * axis.spread) ** 2 + FINEST * online.way(part) ** 2
        known = new or (counted and (part.renews or not measured))
        online.start(
            self._wears, row, self._parts, row, (total - wear["start"]) / axis.scale, known
        )

    def _band(self, row: int, part: Consumable, axis: Axis) -> Band | None:
        wear = self._wears[row]
        if not wear["begun"]:
            return None
        used = (axis.now - float(wear["start"])) / axis.scale
        use = axis.forecast()
        per_s, out = float(use[0]), np.zeros(5)
        online.band(self._wears, row, self._parts, row, used, use, out)
        fraction = float(out[3])
        if per_s <= 0.0 or (self._indicator[row] >= 0 and wear["points"] < SHOWN):
            return Band(p10_s=None, p50_s=None, p90_s=None, fraction=fraction)
        axis.to_calendar(out)
        return Band(
            p10_s=float(out[0]),
            p50_s=float(out[1]),
            p90_s=float(out[2]),
            fraction=fraction,
            slope_per_s=float(out[4]) * per_s if online.measured(part) else per_s * axis.scale,
        )
