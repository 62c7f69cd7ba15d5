"""`forewarn restore cloud.toml BACKUP`: a new installation from a backup."""

import argparse
import sys
from pathlib import Path

from cloud.errors import CloudError
from cloud.keep.restore import restore
from cloud.places import places
from cloud.settings import load
from forewarn.backup import described


def main(arguments: list[str]) -> int:
    """Restore into the places that the settings name; they must be empty."""
    parser = argparse.ArgumentParser(prog="forewarn restore", description=__doc__)
    parser.add_argument("settings", type=Path, metavar="cloud.toml")
    parser.add_argument("backup", type=Path, help="folder that `forewarn backup` made")
    options = parser.parse_args(arguments)
    try:
        found = restore(options.backup, places(load(options.settings)))
    except CloudError as error:
        print(f"forewarn restore: {error}", file=sys.stderr)
        return 1
    print(described(options.backup, found))
    print("restored; start the service")
    return 0
