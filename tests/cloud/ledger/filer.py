"""Files a made-up life from where the ledger is, saying each position; the test kills it."""

import sys
from collections.abc import Iterator

from cloud.ledger import Registration, open_ledger
from models.assessment import Assessment
from tests.cloud.ledger.made import SECOND, T0, Clock, assess, band, high, profiles

LENGTH = 240


def life() -> Iterator[Assessment]:
    """Conditions that come and go on twelve machines, slowly getting worse."""
    for n in range(LENGTH):
        machine = f"acme.m{n % 12}"
        at_ns = T0 + n * 600 * SECOND
        lives = (band(30 - n / 10, 40 - n / 10, 50),) if n % 5 == 0 else ()
        condition = high(at_ns=at_ns, active=n % 7 != 0, severity=2 + (n > 150))
        yield assess(n, condition, at_ns=at_ns, lives=lives, machine=machine)


def run(url: str) -> None:
    """File everything from the beginning, as a replay does; what is filed is skipped."""
    ledger = open_ledger(url, Clock(), profiles())
    for n in range(12):
        name = f"acme.m{n}"
        ledger.register([Registration(name, name, "pump", None, T0, "data")])
    for assessment in life():
        ledger.file(assessment.n, [assessment])
        sys.stdout.write(f"{ledger.position()}\n")
        sys.stdout.flush()
    ledger.close()


if __name__ == "__main__":
    run(sys.argv[1])
