"""`forewarn doctor cloud.toml` or `edge.toml`: what is wrong, and how to mend it."""

import argparse
import sys
from pathlib import Path

import msgspec

from forewarn import doctor_cloud, doctor_edge
from forewarn.check import kind_of
from forewarn.findings import Check, Finding


def examine(name: str, check: Check) -> list[Finding]:
    """Run one check; one that fails itself is a finding, too."""
    try:
        return list(check())
    except Exception as error:
        return [
            Finding(
                code="FW100",
                level="problem",
                what=f"the check of {name} failed: {type(error).__name__}: {error}",
                fix="mend what it names, or report it as a fault of forewarn",
            )
        ]


def _counted(number: int, what: str, of: str = "") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}{of}"


def described(found: list[Finding], checked: int) -> str:
    """Return the findings for people, numbered."""
    lines = []
    for number, one in enumerate(found, 1):
        lines += [
            f"{number}. {one.level} {one.code}: {one.what}",
            f"   mend it: {one.fix}",
            f"   more: {one.page}",
        ]
    problems = sum(one.level == "problem" for one in found)
    rest = _counted(len(found) - problems, "piece", " of advice")
    lines.append(f"{_counted(checked, 'check')}: {_counted(problems, 'problem')}, {rest}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Examine; status 1 when there is a problem."""
    parser = argparse.ArgumentParser(prog="forewarn doctor", description=__doc__)
    parser.add_argument("settings", type=Path, metavar="cloud.toml|edge.toml",
                        help="settings of the service or of a device")  # fmt: skip
    parser.add_argument("--kind", choices=("cloud", "edge"), help="of settings (default: seen "
                        "from the content)")  # fmt: skip
    parser.add_argument(
        "--backups",
        type=Path,
        help="folder in which the newest backup must be young enough (default: none is looked for)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    options = parser.parse_args(arguments)
    kind = options.kind or kind_of(options.settings)
    which = doctor_edge if kind == "edge" else doctor_cloud
    checks = which.checks(options.settings, options.backups)
    found = [one for name, check in checks.items() for one in examine(name, check)]
    if options.json:
        rows = [{**msgspec.structs.asdict(one), "page": one.page} for one in found]
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    else:
        print(described(found, len(checks)))
    return int(any(one.level == "problem" for one in found))
