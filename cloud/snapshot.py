"""Snapshots: the state at one journal position, so that a start need not read the whole journal.

One `npz` file each (arrays only, `allow_pickle=False`), written beside, synced, then renamed. The
two newest are kept, so that a damaged one never stops a start.
"""

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.durable import whole

FORMAT: Final = 2
KEPT: Final = 2
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State after the record at position `n`: arrays of the fleet, plain values of the rest."""

    n: int
    arrays: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]


def save(folder: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot so that it is there whole or not at all; drop all but the two newest."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = msgspec.json.encode({"format": FORMAT, "n": snapshot.n, **snapshot.values})
    arrays: dict[str, Any] = {f"fleet/{k}": v for k, v in snapshot.arrays.items()}
    path = folder / f"{snapshot.n + 1:020d}.npz"
    with whole(path) as file:  # array after array: a fleet's state is not held twice in memory
        np.savez(file, meta=np.frombuffer(meta, "u1"), **arrays)
    for old in positions(folder)[:-KEPT]:
        (folder / f"{old + 1:020d}.npz").unlink()
    return path


def positions(folder: Path) -> list[int]:
    """Return the positions of the snapshots there are, oldest first."""
    return sorted(int(path.stem) - 1 for path in folder.glob("*.npz"))


def load(folder: Path, at_most: int) -> Snapshot | None:
    """Return the newest readable snapshot at or before a position."""
    for n in reversed([n for n in positions(folder) if n <= at_most]):
        path = folder / f"{n + 1:020d}.npz"
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {k.removeprefix("fleet/"): file[k] for k in file.files if k != "meta"}
                values = msgspec.json.decode(file["meta"].tobytes())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, msgspec.DecodeError) as error:
            log.warning("snapshot %s cannot be read (%s); trying the one before", path, error)
            continue
        if values.get("format") == FORMAT:
            return Snapshot(n, arrays, values)
        log.warning("snapshot %s has another format; trying the one before", path)
    return None
