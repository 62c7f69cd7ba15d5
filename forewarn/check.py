"""`forewarn check FILE…`: whether settings files are right, without starting anything."""

import argparse
import sys
import tomllib
from pathlib import Path

from cloud import settings as cloud_settings
from cloud.errors import SettingsError
from edge_agent import settings as edge_settings
from edge_agent.errors import AgentError
from models.profile import ProfileError, parse_profile

CLOUD_KEYS = {"data", "ledger", "api", "journal_segment_mb", "snapshot_s"}


def kind_of(path: Path) -> str:
    """Return what a TOML file is: `cloud`, `edge` or `profile`."""
    try:
        keys = set(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return "cloud" if "cloud" in path.name else "edge"
    if {"failure_modes", "consumables", "version"} & keys:
        return "profile"
    return "cloud" if keys & CLOUD_KEYS or "cloud" in path.name else "edge"


def check(path: Path, kind: str) -> str | None:
    """Return what is wrong with a file, or None."""
    try:
        if kind == "cloud":
            cloud_settings.load(path)
        elif kind == "profile":
            parse_profile(path.read_text("utf-8"), str(path))
        else:
            edge_settings.load(path)
    except UnicodeDecodeError as error:
        return f"{path}: is not UTF-8 text (byte {error.start})"
    except (SettingsError, AgentError, ProfileError, OSError) as error:
        return str(error)
    return None


def main(arguments: list[str]) -> int:
    """Check each file; status 1 when one is wrong."""
    parser = argparse.ArgumentParser(prog="forewarn check", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="edge.toml, cloud.toml "
                        "or a machine profile")  # fmt: skip
    parser.add_argument(
        "--kind",
        choices=("edge", "cloud", "profile"),
        help="of settings (default: seen from the content)",
    )
    options = parser.parse_args(arguments)
    status = 0
    for path in options.files:
        kind = options.kind or kind_of(path)
        problem = check(path, kind)
        print(problem or f"{path}: fine ({kind} settings)", file=sys.stderr if problem else None)
        status |= problem is not None
    return status
