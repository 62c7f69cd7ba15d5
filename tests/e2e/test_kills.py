import os
from pathlib import Path

import pytest

from tests.e2e.kill_harness import run

pytestmark = pytest.mark.broker


def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    report = run(tmp_path, kills=20, seed=11, variant="receipt")
    assert report.good, report
    assert report.appended > 1000


@pytest.mark.long
def test_two_hundred_kills(tmp_path: Path) -> None:
    kills = int(os.environ.get("FOREWARN_KILLS", "200"))
    report = run(tmp_path, kills=kills, seed=1, variant="receipt")
    print(report)
    assert report.good, report


@pytest.mark.long
@pytest.mark.parametrize("variant", ["puback-auto", "puback-manual"])
def test_without_receipts_the_same_kills_lose_samples(tmp_path: Path, variant: str) -> None:
    report = run(tmp_path, kills=60, seed=1, variant=variant)
    print(report)
    assert report.lost > 0, "the harness must see what the design avoids"
