"""The ages of parts that nothing measures, and at what age the fleet's parts ended."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import grown
from models.fleet.persist import ANEW, SnapshotError
from models.life import hazard
from models.life.predictor import Band
from models.life.use import DAY_S
from models.profile import Consumable

Kind = tuple[str, str]  #: profile, component
AGE: Final = np.dtype(
    [
        ("kind", "i8"),  # -1: this life is not one of age
        ("born_ns", "i8"),  # 0: the machine was not heard yet
        ("new", "i8"),  # 1: it was seen to be new, else it is at least so old
    ]
)
KIND: Final = np.dtype([("shape", "f8"), ("scale_s", "f8")])
ENDED: Final = np.dtype([("kind", "i8"), ("age_s", "f8")])


class Ages:
    """When parts were new, a row beside each life of `models.fleet.lives`."""

    def __init__(self) -> None:
        self._ages: NDArray[Any] = np.zeros(0, AGE)
        self._rows = 0
        self._kinds: list[Kind] = []
        self._parts: list[Consumable | None] = []
        self._fits: NDArray[Any] = np.zeros(0, KIND)
        self._ended: NDArray[Any] = np.zeros(0, ENDED)

    def follow(self, row: int, kind: Kind, part: Consumable | None) -> None:
        """Take a life into row `row`; `part` None: it is not one of age."""
        self._ages = grown(self._ages, row)
        if row >= self._rows:
            self._ages[self._rows : row + 1]["kind"] = -1
            self._rows = row + 1
        if part is None or part.life_d is None:
            return
        if kind not in self._kinds:
            self._kinds.append(kind)
            self._parts.append(None)
            self._fits = grown(self._fits, len(self._kinds) - 1)
            self._fits[len(self._kinds) - 1] = hazard.usual(part.life_d * DAY_S, part.lives_differ)
        number = self._kinds.index(kind)
        self._parts[number] = part
        self._ages[row]["kind"] = number

    def heard(self, row: int, at_ns: int) -> None:
        """Begin to count: the machine was heard for the first time."""
        if self._ages[row]["kind"] >= 0 and self._ages[row]["born_ns"] == 0:
            self._ages[row]["born_ns"] = at_ns

    def renew(self, row: int, at_ns: int) -> None:
        """The part is new; its age when it ended corrects what is expected of its kind."""
        age = self._ages[row]
        kind = int(age["kind"])
        if kind < 0:
            return
        if age["new"]:  # of others the age is not known
            ended = (kind, max(at_ns - int(age["born_ns"]), 0) * 1e-9)
            self._ended = np.append(self._ended, np.array([ended], ENDED))
        age["born_ns"], age["new"] = at_ns, 1
        self._fit(kind, at_ns)

    def band(self, row: int, at_ns: int) -> tuple[str, Band | None]:
        """Return (basis, band) at a time. Basis `prior`: the true age is not known."""
        age = self._ages[row]
        if age["born_ns"] == 0:
            return "prior", None
        fit = self._fits[int(age["kind"])]
        old_s = max(at_ns - int(age["born_ns"]), 0) * 1e-9
        found = hazard.left(old_s, float(fit["shape"]), float(fit["scale_s"]))
        return "hazard" if age["new"] else "prior", found

    def dump(self) -> dict[str, NDArray[Any]]:
        """Return the state as it stands, as arrays."""
        return {
            "ages": self._ages[: self._rows],
            "age_kinds": np.array(["/".join(kind) for kind in self._kinds], "U"),
            "age_fits": self._fits[: len(self._kinds)],
            "ended": self._ended,
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of `dump`; `SnapshotError` when they are of another version."""
        dtypes = {"ages": AGE, "age_fits": KIND, "ended": ENDED}
        if "age_kinds" not in arrays or any(
            name not in arrays or arrays[name].dtype != dtype for name, dtype in dtypes.items()
        ):
            raise SnapshotError(f"snapshot has other ages of parts; {ANEW}")
        self._ages, self._fits = arrays["ages"].copy(), arrays["age_fits"].copy()
        self._ended, self._rows = arrays["ended"].copy(), len(arrays["ages"])
        self._kinds = []
        for name in arrays["age_kinds"]:
            profile, _, component = str(name).partition("/")
            self._kinds.append((profile, component))
            self._parts.append(None)

    def _fit(self, kind: int, at_ns: int) -> None:
        """Fit a kind again: parts that ended, and those that run (they last at least so long)."""
        part = self._parts[kind]
        if part is None or part.life_d is None:
            return
        ended = self._ended["age_s"][self._ended["kind"] == kind]
        rows = self._ages[: self._rows]
        runs = rows[(rows["kind"] == kind) & (rows["new"] == 1)]["born_ns"]
        running = np.maximum(at_ns - runs, 0) * 1e-9
        ages = np.concatenate([ended, running])
        failed = np.arange(len(ages)) < len(ended)
        self._fits[kind] = hazard.learned(part.life_d * DAY_S, part.lives_differ, ages, failed)
