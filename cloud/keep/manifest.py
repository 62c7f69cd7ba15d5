"""What a backup holds, written last: a folder without a manifest is no backup."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from cloud.durable import sync
from cloud.errors import StoreCorrupt, StoreError

FORMAT: Final = 1
NAME: Final = "manifest.json"
LEDGER: Final = "ledger.dump"
DATA: Final = "data"  #: folder within a backup: the installation's own files
TELEMETRY: Final = "telemetry"  #: folder within a backup: readings that lie on a server
PART: Final = ".part"  #: end of a backup's name while it is written
PIECE: Final = 1 << 20
_OPEN: Final = "0" * 64  #: in the seal's place while it is made


class _Format(msgspec.Struct):
    """What a manifest of any version has."""

    format: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file, by its path within the backup."""

    path: str
    size: int  #: bytes
    sha256: str


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """Journal positions (-1: nothing)."""

    telemetry: int
    ledger: int
    snapshot: int
    journal_first: int
    journal_end: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds. Times are RFC 3339, UTC.

    Everything that the service had accepted by `began_at` is in it. `machines` counts them by
    tenant, so that it can be said which backups hold somebody's data. `seal` is the SHA-256 of the
    manifest's text with zeros in its place; those of earlier versions have none.
    """

    format: int
    forewarn: str
    began_at: str
    finished_at: str
    positions: Positions
    rows: Mapping[str, int]  #: of the ledger, by table
    machines: Mapping[str, int]
    files: tuple[Entry, ...]
    seal: str = ""

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(entry.size for entry in self.files)


def copy(source: BinaryIO, target: Path) -> Entry:
    """Copy bytes to a new file, on the disk when this returns. The entry names only the file."""
    digest = hashlib.sha256()
    size = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while piece := source.read(PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Entry(path=target.name, size=size, sha256=digest.hexdigest())


def enter(path: Path, root: Path) -> Entry:
    """Return the entry of a file that is there, and see that it is on the disk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return Entry(
        path=path.relative_to(root).as_posix(), size=path.stat().st_size, sha256=digest.hexdigest()
    )


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, durably."""
    path = folder / NAME
    with path.open("wb") as file:
        file.write(_sealed(manifest))
        file.flush()
        os.fsync(file.fileno())
    sync(folder)


def _sealed(manifest: Manifest) -> bytes:
    text = msgspec.json.encode(msgspec.structs.replace(manifest, seal=_OPEN))
    text = msgspec.json.format(text, indent=1) + b"\n"
    return text.replace(_OPEN.encode(), hashlib.sha256(text).hexdigest().encode())


def read(folder: Path) -> Manifest:
    """Read a backup's manifest. `StoreError` when the folder is no backup."""
    try:
        text = (folder / NAME).read_bytes()
        version = msgspec.json.decode(text, type=_Format).format
        if version != FORMAT:
            raise StoreError(f"{folder} has format {version}; this program reads {FORMAT}")
        found = msgspec.json.decode(text, type=Manifest)
    except OSError as error:
        raise StoreError(f"{folder} is no finished backup: {NAME}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"{folder / NAME}: {error}; use another backup") from error
    if found.seal:
        bare = text.replace(found.seal.encode(), _OPEN.encode())
        if hashlib.sha256(bare).hexdigest() != found.seal:
            raise StoreCorrupt(f"{folder / NAME} is not what was written; use another backup")
    return msgspec.structs.replace(found, seal="")


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file with its checksum. `StoreCorrupt` names the first that differs."""
    for entry in manifest.files:
        path = folder / entry.path
        if ".." in Path(entry.path).parts or Path(entry.path).is_absolute():
            raise StoreCorrupt(f"{folder / NAME}: '{entry.path}' leads out of the backup")
        if not path.is_file():
            raise StoreCorrupt(f"{path} is missing; use another backup")
        try:
            same = enter(path, folder) == entry
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
        if not same:
            raise StoreCorrupt(f"{path} is not what was written; use another backup")


def within(folder: Path) -> list[tuple[Path, Manifest]]:
    """Return the backups in a folder, oldest first, or the one that the folder is.

    Raises:
        StoreError: there is no such folder, or a backup in it cannot be read.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder}: there is no such folder of backups")
    found = [folder / NAME] if (folder / NAME).exists() else sorted(folder.glob(f"*/{NAME}"))
    return [(path.parent, read(path.parent)) for path in found]


def cut_off(folder: Path) -> list[Path]:
    """Return what backups left in a folder, or as it, that were cut off: whose is not known."""
    parts = [folder] if folder.name.endswith(PART) else sorted(folder.glob(f"*{PART}"))
    return [path for path in parts if not (path / NAME).exists()]
