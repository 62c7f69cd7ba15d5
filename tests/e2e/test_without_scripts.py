"""The pages for signing in, in a real browser whose scripts are off."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cloud.accounts.desk import Desk
from cloud.api.forms.acknowledging import address
from tests.cloud.api.conftest import cheap_passwords, opened, plant
from tests.cloud.api.people import PASSWORD
from tests.cloud.api.plant import Plant
from tests.forewarn.conftest import url

__all__ = ["cheap_passwords", "opened", "plant", "url"]
WITHIN_MS = 90_000
SECRET = b"a key of the installation"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    with (
        sync_playwright() as tool,
        tool.chromium.launch(executable_path=program, args=["--no-sandbox"]) as found,
    ):
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=False, locale="en") as context:
        found = context.new_page()
        found.set_default_timeout(WITHIN_MS)
        yield found


def says(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text, timeout=WITHIN_MS)


def warns(page: Page, text: str) -> None:
    expect(page.get_by_role("alert")).to_have_text(text, timeout=WITHIN_MS)


def test_from_the_first_link_to_signing_out_and_in_again(
    page: Page, plant: Plant, url: str
) -> None:
    code = Desk(plant.ledger, lambda: plant.clock[0]).setup_link()
    page.goto(f"{url}/setup/{code}")
    page.get_by_label("Name").fill("chen")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill("something else entirely")
    page.get_by_role("button", name="Save").click()
    warns(page, "The two passwords differ.")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    assert page.goto(f"{url}/api/v1/me").status == 200  # type: ignore[union-attr]
    says(page, '"name":"chen"')
    page.goto(f"{url}/sign-out")
    page.get_by_role("button", name="Sign out").click()
    says(page, "You are signed out.")
    assert page.goto(f"{url}/api/v1/me").status == 401  # type: ignore[union-attr]
    page.goto(f"{url}/sign-in?next=/api/v1/me")
    page.get_by_label("Name").fill("chen")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    warns(page, "Sign-in name or password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{url}/api/v1/me", timeout=WITHIN_MS)
    says(page, '"role":"administrator"')


def test_a_page_of_another_site_signs_nobody_in(page: Page, plant: Plant, url: str) -> None:
    form = (
        f'<form method="post" action="{url}/sign-in"><input name="name" value="chen">'
        '<input name="password" value="x"><button>Win a prize</button></form>'
    )
    page.goto(f"data:text/html,{form}")
    page.get_by_role("button").click()
    says(page, "foreign-origin")


def test_the_link_in_an_alert(page: Page, plant: Plant, url: str) -> None:
    plant.register("acme.a", name="Press <b>1</b>")
    plant.find("acme.a", "pressure")
    ticket = plant.ledger.tickets()[0][0].id
    page.goto(address(SECRET, url, "maintenance", ticket))
    says(page, "Press <b>1</b> (acme.a)")
    page.get_by_role("button", name="Acknowledge the ticket").click()
    says(page, "The ticket is acknowledged. Thank you.")
    assert plant.ledger.ticket(ticket).assignee == "link of maintenance"


def test_an_error_is_a_page_that_leads_on(page: Page, plant: Plant, url: str) -> None:
    answer = page.goto(f"{url}/setup/none")
    assert answer is not None
    assert answer.status == 404
    assert page.get_by_role("link", name="Go to forewarn").get_attribute("href") == "/"
