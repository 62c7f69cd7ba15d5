"""Snapshots of a fleet: versioned arrays, names as fixed-width text, nothing pickled."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import grown
from models.fleet.layout import (
    BOUND,
    HISTORY,
    LANE,
    LIFE,
    MACHINE,
    ONSET,
    REFERENCE,
    SINCE,
    VERSION,
)
from models.fleet.terms import KIND as TERM

#: arrays of a snapshot and what they are of
KINDS: Final = {
    "machines": MACHINE,
    "lanes": LANE,
    "bounds": BOUND,
    "since": SINCE,
    "onsets": ONSET,
    "references": REFERENCE,
    "terms": TERM,
    "histories": HISTORY,
    "lives": LIFE,
}
ANEW: Final = "what was learned of the machines begins anew"


class SnapshotError(ValueError):
    """The arrays are not a snapshot of this version: what was learned begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a snapshot holds, in the form that a fleet works with."""

    machines: NDArray[Any]
    lanes: NDArray[Any]
    onsets: NDArray[Any]
    references: NDArray[Any]
    histories: NDArray[Any]
    names: list[str]
    bound: list[str]
    signals: list[tuple[list[str], list[int]]]  #: of each machine, and their lanes


def dump(
    *,
    machines: NDArray[Any],
    lanes: NDArray[Any],
    bounds: NDArray[Any],
    since: NDArray[Any],
    onsets: NDArray[Any],
    references: NDArray[Any],
    terms: NDArray[np.float64],
    histories: NDArray[Any],
    names: Sequence[str],
    bound: Sequence[str],
    signals: Sequence[Mapping[str, int]],
) -> dict[str, NDArray[Any]]:
    """Return the state as it stands: the next rows change it."""
    texts = [""] * len(lanes)
    order = np.zeros(len(lanes), np.int64)
    for lanes_of in signals:
        for place, (name, lane) in enumerate(lanes_of.items()):
            texts[lane] = name
            order[lane] = place
    return {
        "version": np.array([VERSION]),
        "machines": machines,
        "lanes": lanes,
        "bounds": bounds,
        "since": since,
        "onsets": onsets,
        "references": references,
        "terms": terms,
        "histories": histories,
        "names": np.array(names, "U"),
        "bound": np.array(bound, "U"),
        "signals": np.array(texts, "U"),
        "order": order,
    }


def load(arrays: Mapping[str, NDArray[Any]]) -> Saved:
    """Read a snapshot; `SnapshotError` says what does not fit."""
    missing = {"version", "names", "bound", "signals", "order", "components", "bases", *KINDS}
    missing -= set(arrays)
    if missing:
        raise SnapshotError(f"snapshot lacks {sorted(missing)}; {ANEW}")
    found = arrays["version"].tolist()
    if found != [VERSION] or any(arrays[name].dtype != kind for name, kind in KINDS.items()):
        raise SnapshotError(f"snapshot has state version {found}, this program {[VERSION]}; {ANEW}")
    signals: list[tuple[list[str], list[int]]] = [([], []) for _ in arrays["names"]]
    owners = arrays["lanes"]["machine"]
    for lane in np.argsort(arrays["order"], kind="stable").tolist():
        names, lanes = signals[owners[lane]]
        names.append(sys.intern(str(arrays["signals"][lane])))
        lanes.append(lane)
    return Saved(
        machines=arrays["machines"].copy(),
        lanes=arrays["lanes"].copy(),
        onsets=arrays["onsets"].copy(),
        references=grown(arrays["references"].copy(), 0),
        histories=arrays["histories"].copy(),
        names=[sys.intern(str(name)) for name in arrays["names"]],
        bound=[sys.intern(str(name)) for name in arrays["bound"]],
        signals=signals,
    )
