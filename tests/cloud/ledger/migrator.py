"""Kills itself at each statement and commit of a migration; the test looks at what is left.

One process imports everything and forks for each step, so that a step takes no interpreter start.
Prints `N STATUS` for each; the last step is the one that was not killed.
"""

import os
import signal
import sys
from collections.abc import Callable

import alembic.command  # noqa: F401 - loaded before the forks
import sqlalchemy as sa

from cloud.ledger.database import Database


def _killing(at: int) -> Callable[..., None]:
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def step(url: str, at: int, target: str) -> bool:
    """Migrate in a child that dies at its statement number `at`; whether it came to the end."""
    child = os.fork()
    if child == 0:
        database = Database(url, migrate=False)
        kill = _killing(at)
        sa.event.listen(sa.Engine, "before_cursor_execute", kill)
        sa.event.listen(sa.Engine, "commit", kill)
        database.migrate(target)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"step {at} failed by itself")
    return os.WIFEXITED(status)


def run(url: str, target: str, stride: int) -> None:
    """Go on until a step is not killed."""
    at = 1
    while not step(url, at, target):
        database = Database(url, migrate=False)
        sys.stdout.write(f"{at} {database.revision()}\n")
        database.close()
        at += stride


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
