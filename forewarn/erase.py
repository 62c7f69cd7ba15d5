"""`forewarn erase cloud.toml --customer NAME`: remove somebody's data from every store."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Final

import msgspec

from cloud.app import now_ns
from cloud.errors import CloudError
from cloud.keep.erase import erase
from cloud.keep.proof import Proof
from cloud.keep.scope import LEAST, Scope, Wanted, wanted
from cloud.settings import load
from forewarn.tables import user
from models.counts import counted

SCOPES: Final[tuple[Scope, ...]] = ("customer", "tenant", "machine")


def described(proof: Proof) -> str:
    """Return a proof for people."""
    lines = [
        f"erased {proof.scope} {proof.name}, {proof.began_at} to {proof.finished_at}, "
        f"by {proof.actor}; in the event log it is now {proof.pseudonym}",
        f"machines: {', '.join(proof.machines) or 'none'}",
        f"devices: {', '.join(proof.devices) or 'none'}",
        f"people with an account: {proof.people}",
        "removed:",
        *(f"  {count:>12,}  {what}" for what, count in proof.removed.items()),
        "stays:",
        *(f"  {one.count:>12,}  {one.what}: {one.why}" for one in proof.stays),
        "backups looked through: "
        + (
            "none were named (--backups)"
            if proof.backups is None
            else f"{proof.backups:,} (the ledger of each whole one, for the names; not its "
            "readings, models and journal)"
        ),
        f"searched {counted(proof.searched_files, 'file')} and "
        f"{counted(proof.searched_rows, 'row')} for the names of machines, devices "
        f"and people (in files those of at least {LEAST} bytes): "
        + (f"STILL FOUND in {', '.join(proof.hits)}" if proof.hits else "none found"),
        "take the devices out of the broker's password file, too: forewarn device remove",
    ]
    return "\n".join(lines)


def _plan(found: Wanted) -> str:
    return (
        f"would erase {counted(len(found.machines), 'machine')} ({', '.join(found.machines)}) and "
        f"{counted(len(found.devices), 'device')} ({', '.join(found.devices)}) and "
        f"{counted(len(found.people), 'account')} of people; say --yes to do it"
    )


def main(arguments: list[str]) -> int:
    """Erase; status 1 when something failed or was still found."""
    parser = argparse.ArgumentParser(prog="forewarn erase", description=__doc__)
    parser.add_argument("settings", type=Path, metavar="cloud.toml", help="the service's settings")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--customer", help="all machines that this customer sees, and its "
                       "accounts")  # fmt: skip
    which.add_argument("--tenant", help="all machines whose id begins with TENANT.")
    which.add_argument("--machine", help="one machine, by its id")
    parser.add_argument("--yes", action="store_true", help="do it (else it is only told)")
    parser.add_argument(
        "--backups", type=Path, help="folder of backups, or one: name what holds it"
    )
    parser.add_argument("--proof", type=Path, help="write the proof as JSON to this file")
    options = parser.parse_args(arguments)
    scope = next(one for one in SCOPES if getattr(options, one) is not None)
    name = getattr(options, scope)
    try:
        settings = load(options.settings)
        if not options.yes:
            print(_plan(wanted(settings, scope, name, now_ns)))
            return 0
        with contextlib.ExitStack() as stack:  # what is gone cannot be proved a second time
            paper = stack.enter_context(options.proof.open("ab")) if options.proof else None
            proof = erase(settings, scope, name, actor=user(), now=now_ns, backups=options.backups)
            print(described(proof))
            if paper is not None:
                paper.truncate(0)
                paper.write(msgspec.json.format(msgspec.json.encode(proof), indent=1))
    except (CloudError, OSError) as error:
        print(f"forewarn erase: {error}", file=sys.stderr)
        return 1
    return 1 if proof.hits else 0
