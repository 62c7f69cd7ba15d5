"""How soon every page can be used at a quarter of the speed: measured and printed (`-s`).

Long tier. `pytest tests/ui/test_speed.py -m long -s`. Read the CPU time beside the time on the
clock: the one hardly knows what else the computer does, the other does.
"""

import os
import statistics

import pytest
from playwright.sync_api import Browser

from tests.ui.measuring import usable
from tests.ui.plant import Running
from tests.ui.test_look import PAGES, addresses

__all__ = ["addresses"]
pytestmark = pytest.mark.long
TRIES = 3


def test_every_page_is_soon_usable(
    browser: Browser, running: Running, addresses: dict[str, str]
) -> None:
    print(f"\nload {os.getloadavg()[0]:.1f}; ms at a quarter of the speed, median of {TRIES}")
    for name in PAGES:
        found = [usable(browser, running.url + addresses[name]) for _ in range(TRIES)]
        middle = {
            what: statistics.median(getattr(one, what) for one in found)
            for what in ("painted", "shown", "interactive", "cpu")
        }
        longest = max(end - begin for one in found for begin, end in [*one.tasks, (0, 0)])
        print(f"{name:10}", *(f"{what} {ms:6.0f}" for what, ms in middle.items()),
              f"longest task {longest:.0f}")  # fmt: skip
        assert middle["shown"] > 0
