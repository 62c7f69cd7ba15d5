"""Snapshots: the state at one journal position, so that a start need not read the whole journal.

One `npz` file each (arrays only, `allow_pickle=False`), written beside, synced, then renamed. The
two newest are kept, so that a damaged one never stops a start (`meta` names all arrays, and each is
read to its end, where its checksum is compared); what was begun and not finished is
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
#: what zipfile, numpy and msgspec raise for what was not written so, MemoryError where it is long
_DAMAGED: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    msgspec.DecodeError,
)
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
        arrays = {f"fleet/{key}": array for key, array in snapshot.arrays.items()}
        named = {"format": FORMAT, "n": snapshot.n, **snapshot.values, "arrays": [*arrays]}
        meta = msgspec.json.encode(named)
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
            arrays, values = _read(path)
        except _DAMAGED as error:
            said = str(error) or type(error).__name__
            log.warning("snapshot %s cannot be read (%s); trying the one before", path, said)
            continue
        if values.get("format") != FORMAT:
            log.warning("snapshot %s has another format; trying the one before", path)
        elif values.get("n") != n or values.get("arrays", [*arrays]) != [*arrays]:
            log.warning("snapshot %s is not what was written; trying the one before", path)
        else:
            named = {key.removeprefix("fleet/"): array for key, array in arrays.items()}
            return Snapshot(n, named, values)
    return None


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a file's arrays and values; one of `_DAMAGED` where a checksum does not fit."""
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{info.filename} is packed, and ours never are")
            with archive.open(info) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
                if member.read(1):
                    raise ValueError(f"{info.filename} goes on behind its array")
            arrays[info.filename.removesuffix(".npy")] = array
    return arrays, msgspec.json.decode(arrays.pop("meta").tobytes())
