import random
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.ledger import Ledger, open_ledger
from cloud.ledger.database import HEAD, Database
from tests.cloud.ledger.filer import LENGTH, run
from tests.cloud.ledger.made import Clock, profiles

KILLS = {"sqlite": 4, "postgresql": 2}


def _picture(url: str) -> list[tuple[object, ...]]:
    ledger: Ledger = open_ledger(url, Clock(), profiles())
    tickets = sorted((k.machine, k.mode, k.opened_ns, k.number) for k in ledger.tickets()[0])
    advisories = sorted(
        (a.machine, a.mode, a.state, a.opened_ns, a.severity, a.version)
        for a in ledger.advisories(limit=1000)[0]
    )
    events: list[tuple[object, ...]] = []
    after = None
    while True:
        rows, after = ledger.events(after=after, limit=1000)
        events += [(e.machine, e.subject, e.type, e.at_ns) for e in rows if e.type != "registered"]
        if after is None:
            break
    owed = len(ledger.alerts_due(2**62))
    ledger.close()
    return [*tickets, *advisories, *events, (owed,)]


def test_killed_while_filing_everything_is_filed_once(kind: str, url: str, tmp_path: Path) -> None:
    plain = f"sqlite:///{tmp_path / 'plain.db'}"
    chance = random.Random(7)
    reached = -1
    for _ in range(KILLS[kind]):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cloud.ledger.filer", url], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        wanted = chance.randrange(reached + 1, max(reached + 2, LENGTH - 60))
        for line in process.stdout:
            if int(line) >= wanted:
                break
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        reached = int(rest[-1]) if rest else wanted
        ledger = open_ledger(url, Clock(), profiles())
        assert ledger.position() >= wanted  # what was said to be filed is filed
        reached = max(reached, ledger.position())
        ledger.close()
    run(url)
    run(plain)
    assert _picture(url) == _picture(plain)


def _kill_each_step(url: str, target: str, stride: int) -> list[str]:
    """Return the revision found after each kill."""
    words = [sys.executable, "-m", "tests.cloud.ledger.migrator", url, target, str(stride)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split()[1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "stride", [pytest.param(9, id="some"), pytest.param(1, id="all", marks=pytest.mark.long)]
)
def test_a_migration_killed_at_any_step_leaves_what_was_there(empty: str, stride: int) -> None:
    up = _kill_each_step(empty, HEAD, stride)
    assert len(up) >= 45 // stride
    assert set(up) == {"None"}
    database = Database(empty, migrate=False)
    assert database.revision() == HEAD
    down = _kill_each_step(empty, "0001", stride)
    assert set(down) == {HEAD}
    assert database.revision() == "0001"
    database.close()
    ledger = open_ledger(empty, Clock(), profiles())  # the way up again, at an ordinary start
    assert ledger.position() == -1
    ledger.close()
