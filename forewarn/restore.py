"""`forewarn restore cloud.toml BACKUP`: a new installation from a backup.

With --ledger the file is a dump of the ledger alone (`ledger-….dump` in the data folder, written
before an upgrade changed the tables); only an empty ledger is filled, nothing else is touched.
"""

import argparse
import sys
from pathlib import Path

from cloud.errors import CloudError
from cloud.keep.restore import restore
from cloud.keep.upgrade import fill_ledger
from cloud.places import places
from cloud.settings import load
from cloud.telemetry.opening import open_copy
from forewarn.backup import described
from models.counts import counted


def main(arguments: list[str]) -> int:
    """Restore into the places that the settings name; they must be empty."""
    parser = argparse.ArgumentParser(prog="forewarn restore", description=__doc__)
    parser.add_argument("settings", type=Path, metavar="cloud.toml", help="the service's settings")
    parser.add_argument(
        "backup", type=Path, help="folder that `forewarn backup` made; --ledger: the dump"
    )
    parser.add_argument("--ledger", action="store_true", help="fill the ledger alone from a dump")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.settings)
        where = places(settings)
        if options.ledger:
            rows = sum(fill_ledger(where.ledger, options.backup).values())
            print(f"the ledger has {counted(rows, 'row')} from {options.backup}; start the service")
            return 0
        found = restore(options.backup, where, open_copy(settings.telemetry, where.data))
    except (CloudError, OSError) as error:
        print(f"forewarn restore: {error}", file=sys.stderr)
        return 1
    print(described(options.backup, found))
    print("restored; start the service")
    return 0
