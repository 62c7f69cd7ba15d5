"""A snapshot without some of its machines: what is left scores on bit for bit as before.

Only sisters that are gone speak no more (`models.fleet.witnesses`). Fleet-wide experience (how fast
parts of a kind wear, how old they get) stays; it names no machine.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.persist import SnapshotError
from models.fleet.terms import size

MACHINES: Final = ("machines", "names", "bound")
LANES: Final = ("lanes", "signals", "order")
ONSETS: Final = ("onsets", "references")
HISTORIES: Final = ("histories",)
SINCES: Final = ("since",)
LIVES: Final = ("lives", "components", "bases", "wears", "wears_before", "ages")
TERMS: Final = ("terms",)
WHOLE: Final = ("version", "bounds", "kinds", "taught", "age_kinds", "age_fits", "ended")


def without(arrays: Mapping[str, NDArray[Any]], gone: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return a fleet's snapshot without machines.

    Raises:
        SnapshotError: the snapshot holds something that this function does not know.
    """
    known = {*MACHINES, *LANES, *ONSETS, *HISTORIES, *SINCES, *LIVES, *TERMS, *WHOLE}
    if set(arrays) != known:
        raise SnapshotError(f"snapshot and program differ in {sorted(set(arrays) ^ known)}")
    stays = np.array([str(name) not in gone for name in arrays["names"]], bool)
    lanes, lives = arrays["lanes"], arrays["lives"]
    lane_stays = stays[lanes["machine"]]
    history_stays = lane_stays[arrays["histories"]["lane"]]
    onset_stays = np.zeros(len(arrays["onsets"]), bool)
    onset_stays[lanes["onset"][lane_stays & (lanes["onset"] >= 0)]] = True
    life_stays = stays[lives["machine"]]
    term_stays = np.zeros(len(arrays["terms"]), bool)
    for lane in lanes[lane_stays & (lanes["wide"] > 0)]:
        term_stays[lane["terms"] : lane["terms"] + size(int(lane["wide"]))] = True
    masks = (
        (MACHINES, stays), (LANES, lane_stays), (ONSETS, onset_stays), (HISTORIES, history_stays),
        (SINCES, lane_stays[arrays["since"]["lane"]]), (LIVES, life_stays),
        (TERMS, term_stays),
    )  # fmt: skip
    out = {name: arrays[name].copy() for name in WHOLE}
    out |= {name: arrays[name][mask].copy() for names, mask in masks for name in names}
    for name in ("names", "bound", "signals", "components", "bases"):
        out[name] = np.array(out[name].tolist(), "U")  # no wider than what is left
    machine_of, lane_of = _renumbered(stays), _renumbered(lane_stays)
    out["machines"]["first"] = _moved(out["machines"]["first"], lane_of)
    out["lanes"]["machine"] = _moved(out["lanes"]["machine"], machine_of)
    out["lanes"]["next"] = _moved(out["lanes"]["next"], lane_of)
    out["references"]["peer"] = _moved(out["references"]["peer"] - 1, lane_of) + 1
    out["lanes"]["history"] = _moved(out["lanes"]["history"], _renumbered(history_stays))
    moved = _moved(out["lanes"]["terms"], _renumbered(term_stays))
    out["lanes"]["terms"] = np.where(out["lanes"]["wide"] > 0, moved, 0)
    out["lanes"]["onset"] = _moved(out["lanes"]["onset"], _renumbered(onset_stays))
    out["since"]["lane"] = _moved(out["since"]["lane"], lane_of)
    out["histories"]["lane"] = _moved(out["histories"]["lane"], lane_of)
    out["lives"]["machine"] = _moved(out["lives"]["machine"], machine_of)
    out["lives"]["lane"] = _moved(out["lives"]["lane"], lane_of)
    return out


def _renumbered(stays: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the new number of each row; the last entry, reached by -1, stays -1."""
    numbers = np.cumsum(stays) - 1
    return np.append(np.where(stays, numbers, -1), -1).astype(np.int64)


def _moved(references: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return numbers[references]
