"""Units: what systemd says of them, and that their commands are ones that there are."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import edge_agent.__main__ as agent
from forewarn.__main__ import VERBS

ROOT = Path(__file__).parents[2]
INSTALLED = "/opt/forewarn/bin/"


def _units() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "deploy" / "systemd").iterdir()):
        yield path.name, path.read_text()
    page = (ROOT / "docs" / "how-to" / "backup.md").read_text()
    yield from re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", page, re.DOTALL)


UNITS: Final = dict(_units())


def test_there_are_units() -> None:
    assert {"forewarn.service", "forewarn-agent.service", "forewarn-backup.timer"} <= UNITS.keys()


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name, text in UNITS.items():
        here = re.sub(rf"{INSTALLED}\S+", "/bin/true", text).replace("User=forewarn", "User=root")
        (tmp_path / name).write_text(here)
    done = subprocess.run(
        [analyze, "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name, text in UNITS.items() if "Exec" in text])
def test_a_units_commands_are_there(name: str) -> None:
    for line in re.findall(rf"^Exec\w+={INSTALLED}(.+)$", UNITS[name], re.MULTILINE):
        program, verb, *more = line.split()
        if program == "forewarn-agent":
            assert agent.parser().parse_args([verb, *more]).verb == verb
        else:
            assert program == "forewarn"
            assert verb in VERBS


@pytest.mark.parametrize(
    ("unit", "sample", "table", "key"),
    [
        ("forewarn", "cloud", None, "data"),
        ("forewarn-agent", "edge", "outbox", "path"),
    ],
)
def test_a_sample_as_it_is_writes_where_its_unit_may(
    unit: str, sample: str, table: str | None, key: str
) -> None:
    said = dict(re.findall(r"^(\w+)=(.*)$", UNITS[f"{unit}.service"], re.MULTILINE))
    settings = tomllib.loads((ROOT / "deploy" / f"{sample}.toml").read_text())
    path = (settings[table] if table else settings)[key]
    state = Path("/var/lib", said["StateDirectory"])
    assert state in Path(said.get("WorkingDirectory", "/"), path).parents
