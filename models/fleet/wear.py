"""The wear of all machines' parts, followed reading by reading; what old parts taught of new ones.

One row of `models.life.wiener.WEAR` a life, beside the rows of `models.fleet.lives`.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.estimate import AGED, TREND, WORN, renew
from models.fleet.lanes import grown
from models.fleet.persist import ANEW, SnapshotError
from models.fleet.renewal import FOLLOWED, TAUGHT, Lines
from models.life import online
from models.life.use import DAY_S
from models.life.wiener import PART, WEAR
from models.profile import Consumable

Kind = tuple[str, str]  #: profile, component
BASES: Final = {"wear": WORN, "counter": WORN, "trend": TREND, "hazard": AGED}

OFTEN_S: Final = 1.25 * DAY_S  #: a signal that is read less often has no band in ten days


class Wears:
    """States of wear, the settings of each part, and the fleet's experience of each kind."""

    def __init__(self) -> None:
        self._wears: NDArray[Any] = np.zeros(0, WEAR)
        self._before: NDArray[Any] = np.zeros(0, WEAR)
        self._parts: NDArray[Any] = np.zeros(0, PART)
        self._followed: NDArray[Any] = np.zeros(0, FOLLOWED)
        self._kinds: list[Kind] = []
        self._taught: NDArray[Any] = np.zeros(0, TAUGHT)
        self._empty: NDArray[Any] = np.zeros(1, WEAR)
        self._room: NDArray[Any] = np.zeros(1, WEAR)

    def follow(
        self, row: int, kind: Kind, basis: str, part: Consumable, signals: Mapping[str, int]
    ) -> None:
        """Take a life into row `row`, with what the profile says of it."""
        for name in ("_wears", "_before", "_followed"):
            setattr(self, name, grown(getattr(self, name), row))
        followed = self._followed[row]
        followed["basis"], followed["next"] = BASES[basis], -1
        followed["indicator"] = followed["counter"] = followed["load"] = -1
        if basis == "trend":
            followed["indicator"] = signals[str(part.indicator)]
        if BASES[basis] != WORN:
            return
        if kind not in self._kinds:
            self._kinds.append(kind)
            self._taught = grown(self._taught, len(self._kinds) - 1)
        followed["kind"] = number = self._kinds.index(kind)
        self._parts = grown(self._parts, number)
        self._parts[number] = online.usual(part)[0]
        followed["renews"], followed["high"] = part.renews, part.worse == "high"
        followed["varies"], followed["season"] = part.varies, part.season
        followed["peak_day"] = part.peak_day
        followed["scale"] = (part.life_d or 1.0) * DAY_S
        if online.measured(part):
            followed["indicator"] = signals[str(part.indicator)]
        if online.counted(part):
            followed["counter"], followed["scale"] = signals[str(part.counter)], part.rated
        if part.norm is not None:
            followed["load"] = signals[part.norm.by]
            followed["nominal"], followed["power"] = part.norm.nominal, part.norm.power

    def link(self, row: int, following: int) -> None:
        """Let the life in row `following` come after that in `row`, of the same machine."""
        self._followed[row]["next"] = following

    def asked(self, row: int) -> bool:
        """Whether a life's past had grown when its machine was last looked at."""
        return bool(self._followed[row]["asked"])

    def heard(self, row: int, lanes: NDArray[Any], at_ns: int) -> bool:
        """Whether all signals that a followed life is made of come often enough for a band."""
        followed = self._followed[row]
        if followed["basis"] != WORN:
            return False
        needed = [int(followed[name]) for name in ("indicator", "counter", "load")]
        mine = lanes[[lane for lane in needed if lane >= 0]]
        often = (mine["rows"] > 0) & (mine["interval_s"] <= OFTEN_S)
        return bool(np.all(often & (at_ns - mine["last_ns"] <= OFTEN_S * 1e9)))

    def rate(self, row: int) -> float | None:
        """Return how fast a life's part wears by a usual one; None where nothing measures it."""
        followed, wear = self._followed[row], self._wears[row]
        measured = followed["basis"] == WORN and followed["indicator"] >= 0 and wear["begun"]
        return float(wear["r"]) if measured else None

    def lines(self, first: NDArray[np.int64], rows: NDArray[Any]) -> Lines:
        """Return all arrays as the compiled code takes them; anew after each `follow`."""
        return Lines(
            first=first,
            rows=rows,
            followed=self._followed,
            wears=self._wears,
            before=self._before,
            parts=self._parts,
            taught=self._taught,
            empty=self._empty,
            room=self._room,
        )

    def drop(self, row: int) -> None:
        """A life that its machine's profile knows no more: nothing reads it or learns from it."""
        for name in ("_wears", "_before", "_followed"):
            setattr(self, name, grown(getattr(self, name), row))
        self._followed[row]["basis"] = AGED

    def renew(self, lines: Lines, row: int) -> None:
        """The part is new: the fleet learns from the old one, and the row begins again."""
        if self._followed[row]["basis"] == WORN:
            renew(lines, row)
        else:
            self._wears[row] = self._empty[0]

    def dump(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return the state as it stands, as arrays; `rows` lives."""
        return {
            "wears": grown(self._wears, rows)[:rows],
            "wears_before": grown(self._before, rows)[:rows],
            "kinds": np.array(["/".join(kind) for kind in self._kinds], "U"),
            "taught": self._taught[: len(self._kinds)],
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of `dump`; `SnapshotError` when they are of another version."""
        missing = {"wears", "wears_before", "kinds", "taught"} - set(arrays)
        if missing or arrays["wears"].dtype != WEAR or arrays["taught"].dtype != TAUGHT:
            raise SnapshotError(f"snapshot has other states of wear; {ANEW}")
        self._wears, self._before = arrays["wears"].copy(), arrays["wears_before"].copy()
        self._taught = arrays["taught"].copy()
        self._kinds = []
        for name in arrays["kinds"]:
            profile, _, component = str(name).partition("/")
            self._kinds.append((profile, component))
