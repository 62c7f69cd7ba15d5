"""Pages say the same of a machine, its ticket and its times."""

from playwright.sync_api import expect

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
