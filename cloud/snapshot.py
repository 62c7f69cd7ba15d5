"""Snapshots: the state at one journal position, so that a start need not read the whole journal.

One `npz` file each (arrays only, `allow_pickle=False`), written beside, synced, then renamed. The
two newest are kept, so that a damaged one never stops a start; what was begun and not finished is
gone at the next chance: on a full disk every one would stay. `write` copies the state as it is into
the system's memory, which is all that the state must stand still for; `keep` does the rest.
"""

import contextlib
import logging
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.durable import private, settle

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
    return keep(write(folder, snapshot))


def write(folder: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot beside; return the file, which counts once `keep` has had it."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    part = folder / f"{snapshot.n + 1:020d}.part"
    with _gone_on_error(part), private(part) as file, zipfile.ZipFile(file, "w") as archive:
        meta = msgspec.json.encode({"format": FORMAT, "n": snapshot.n, **snapshot.values})
        arrays = {f"fleet/{key}": array for key, array in snapshot.arrays.items()}
        for key, given in {"meta": np.frombuffer(meta, "u1"), **arrays}.items():
            array = np.asarray(given, order="C")  # as the header says and the bytes are written
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                header = np.lib.format.header_data_from_array_1_0(array)
                np.lib.format.write_array_header_2_0(member, header)
                member.write(array.reshape(-1).view("u1").data)
    return part


def keep(part: Path) -> Path:
    """Make what `write` wrote durable and a snapshot; drop all but the two newest."""
    path = part.with_suffix(".npz")
    with _gone_on_error(part):
        settle(part, path)
    for old in positions(path.parent)[:-KEPT]:
        (path.parent / f"{old + 1:020d}.npz").unlink()
    return path


def sweep(folder: Path) -> None:
    """Delete what was begun and is no snapshot; not while `keep` has one."""
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _gone_on_error(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def positions(folder: Path) -> list[int]:
    """Return the positions of the snapshots there are, oldest first."""
    return sorted(position(path) for path in folder.glob("*.npz"))


def position(path: Path) -> int:
    """Return the position of a snapshot, or of what `write` made."""
    return int(path.stem) - 1


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
