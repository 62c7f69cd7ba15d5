"""`forewarn backup cloud.toml FOLDER`: copy everything while the service runs."""

import argparse
import sys
from pathlib import Path

import msgspec

from cloud.app import now_ns
from cloud.errors import CloudError
from cloud.keep import backup, manifest
from cloud.keep.manifest import Manifest
from cloud.places import places
from cloud.settings import load
from cloud.telemetry.opening import open_copy
from forewarn.arguments import count
from models.counts import counted


def described(folder: Path, found: Manifest) -> str:
    """Return a backup in a few lines."""
    where = found.positions
    rows = sum(found.rows.values())
    whose = ", ".join(f"{name} ({n})" for name, n in sorted(found.machines.items())) or "nobody"
    return "\n".join(
        (
            f"{folder}: {counted(len(found.files), 'file')}, {found.size() / 1e6:,.1f} MB, "
            f"taken {found.began_at} to {found.finished_at} by forewarn {found.forewarn}",
            f"  journal {where.journal_first} to {where.journal_end}, telemetry to "
            f"{where.telemetry}, models to {where.snapshot}",
            f"  ledger to {where.ledger}: {counted(rows, 'row')}, machines of {whose}",
        )
    )


def main(arguments: list[str]) -> int:
    """Make a backup, or verify one."""
    parser = argparse.ArgumentParser(prog="forewarn backup", description=__doc__)
    parser.add_argument("settings", type=Path, metavar="cloud.toml", help="the service's settings")
    parser.add_argument(
        "folder", type=Path, help="a folder named by the time is made in it (--verify: that folder)"
    )
    parser.add_argument("--keep", type=count, metavar="N", help="then delete all but the newest "
                        "N backups of the folder (default: keep all)")  # fmt: skip
    parser.add_argument(
        "--verify", action="store_true", help="compare a backup with its checksums; make none"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    options = parser.parse_args(arguments)
    try:
        if options.verify:
            target = options.folder
            found = manifest.read(target)
            manifest.verify(target, found)
        else:
            settings = load(options.settings)
            where = places(settings)
            target = options.folder / backup.name_for(now_ns())
            copying = open_copy(settings.telemetry, where.data)
            found = backup.back_up(where, target, now_ns, copying)
        print(
            msgspec.json.encode(found).decode() if options.json else described(target, found),
        )
        if options.keep is not None and not options.verify:
            for gone in backup.drop_old(options.folder, options.keep):
                print(f"deleted {gone}", file=sys.stderr)
    except CloudError as error:
        print(f"forewarn backup: {error}", file=sys.stderr)
        return 1
    return 0
