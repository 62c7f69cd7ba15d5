"""Pages say the same of a machine, its ticket and its times."""

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running

SEVERITY = {2: "Alert", 3: "Alarm"}


def test_board_and_ticket_agree_on_severity_and_clock(watched: Watched, running: Running) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(ticket["machine"])
    word = SEVERITY[ticket["severity"]]
    row = page.locator(f"tr[data-machine='{ticket['machine']}']")
    expect(row.locator("td").first).to_have_text(word)
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    expect(page.get_by_text(word, exact=True).first).to_be_visible()
    opened = page.locator("time").last
    expect(opened).to_contain_text("GMT+1 (machine's clock)")
    expect(opened).to_have_attribute("datetime", ticket["opened"])
    said = opened.inner_text()
    expect(page.get_by_text(said)).not_to_have_count(1)  # the ticket itself says the same


@pytest.mark.parametrize("state", ["normal", "silent"])
def test_a_machine_stands_no_better_than_the_work_that_waits_on_it(
    watched: Watched, running: Running, state: str
) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")

    def calm(route: Route) -> None:
        """Answer as if the machine's readings said nothing of it."""
        answer = route.fetch()
        board: dict[str, Any] = answer.json()
        rows = [
            row | {"state": state} if row["machine"] == ticket["machine"] else row
            for row in board["items"]
        ]
        route.fulfill(response=answer, json=board | {"items": rows})

    page.route("**/api/v1/board", calm)
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(ticket["machine"])
    word = SEVERITY[ticket["severity"]]
    row = page.locator(f"tr[data-machine='{ticket['machine']}']")
    expect(row.locator("td").first).to_have_text(word)
    page.get_by_role("button", name=word).first.click()  # the chip that counts it
    expect(row).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")


def test_times_of_a_machines_own_clock_say_so(watched: Watched, running: Running) -> None:
    page, own = watched.page, "(machine's clock)"
    ticket = running.first("/tickets", state="new", clock="data")
    page.goto(f"{running.url}/machines/{ticket['machine']}")
    strip = page.get_by_role("img", name="State").filter(has=page.locator("rect"))
    expect(strip).to_have_attribute("aria-label", re.compile(re.escape(own)))
    expect(strip.locator("title").first).to_have_text(re.compile(re.escape(own)))
    history = page.get_by_role("region", name="History").locator("div").filter(has_text="#")
    expect(history.first).to_contain_text(own)
    page.goto(f"{running.url}/overview")
    card = page.locator("li.card").filter(has_text=f"#{ticket['number']}")
    expect(card.get_by_text("Expected to be done by")).to_contain_text(own)
