"""Signing in and out, and what each role is shown."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.e2e.parts import Part, Service, service
from tests.ui.plant import setup_link
from tests.ui.test_look import grave, settle

PASSWORD = "correct horse battery staple"
#: what of a table is out of sight or under something else, once its row is in the middle
COVERED = """() => [...document.querySelectorAll('main td')].filter((cell) => {
  cell.scrollIntoView({ block: 'center' });
  const text = document.createRange();
  text.selectNodeContents(cell);
  return [...text.getClientRects()].some(({ left, right, top, bottom }) =>
    [left + 1, right - 1].some((x) => {
      const seen = document.elementFromPoint(x, (top + bottom) / 2);
      return right - left > 2 && !cell.contains(seen);
    }));
}).map((cell) => cell.textContent)"""


@pytest.fixture(scope="module")
def guarded(
    browser: Browser, broker: Part, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service whose administrator has just been made."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    started = service(folder, broker.port)
    with started.part:
        with browser.new_context(java_script_enabled=False, locale="en") as context:
            page = context.new_page()
            page.goto(setup_link(started.part.log))
            page.fill("input[name=name]", "ada")
            page.fill("input[name=password]", PASSWORD)
            page.fill("input[name=again]", PASSWORD)
            page.get_by_role("button").click()
        yield started


def url(guarded: Service, path: str = "/") -> str:
    return f"http://127.0.0.1:{guarded.port}{path}"


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    expect(page).to_have_url(re.compile("/sign-in"))
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.get_by_role("button").click()


def adding(page: Page, guarded: Service) -> Locator:
    """Open the people's page as the administrator and the dialogue that adds one; return it."""
    page.goto(url(guarded, "/settings/users"))
    sign_in(page, "ada")
    page.get_by_role("button", name="Add a person").click()
    return page.get_by_role("dialog")


def test_in_where_one_was_and_out_again(context: BrowserContext, guarded: Service) -> None:
    page = context.new_page()
    page.goto(url(guarded, "/tickets?as=board"))
    sign_in(page, "ada", "wrong and long enough")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, "ada")
    expect(page).to_have_url(re.compile(r"/tickets\?as=board"))
    page.get_by_role("button", name="Account of ada").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto(url(guarded))
    expect(page).to_have_url(re.compile("/sign-in"))


def test_an_administrator_invites_a_customer_who_sees_less(
    context: BrowserContext, browser: Browser, guarded: Service
) -> None:
    page = context.new_page()
    dialog = adding(page, guarded)
    dialog.get_by_label("Sign-in name").fill("carl")
    dialog.get_by_label("Role").select_option("customer")
    dialog.get_by_label("Customer").fill("acme")
    dialog.get_by_role("button", name="Save").click()
    link = page.locator("[data-secret]").inner_text()
    other = browser.new_context(locale="zh-CN")
    theirs = other.new_page()
    theirs.goto(link)
    theirs.fill("input[name=password]", PASSWORD)
    theirs.fill("input[name=again]", PASSWORD)
    theirs.get_by_role("button").click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text("设备总览")
    expect(theirs.get_by_role("navigation").get_by_role("link", name="预警处理")).to_have_count(0)
    theirs.goto(url(guarded, "/settings/users"))
    expect(theirs.get_by_role("tab", name="人员")).to_have_count(0)
    expect(theirs.get_by_role("tab", name="接口令牌")).to_have_count(1)
    other.close()


def test_who_leaves_the_dialogue_of_an_account_gives_up_what_it_sent(
    context: BrowserContext, guarded: Service
) -> None:
    page = context.new_page()
    dialog = adding(page, guarded)
    dialog.get_by_label("Sign-in name").fill("ada")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Not saved")  # there is one of that name
    expect(dialog.get_by_role("button", name="Save")).to_be_focused()
    page.route(
        "**/api/v1/users",
        lambda route: None if route.request.method == "POST" else route.continue_(),
    )
    dialog.get_by_label("Sign-in name").fill("late")
    with page.expect_request(lambda one: one.method == "POST" and one.url.endswith("/users")):
        dialog.get_by_role("button", name="Save").click()
    with page.expect_event("requestfailed", lambda one: one.url.endswith("/users")):
        page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_rights_that_a_colleague_took_away_do_not_come_back_with_an_older_form(
    context: BrowserContext, guarded: Service
) -> None:
    page = context.new_page()
    dialog = adding(page, guarded)
    dialog.get_by_label("Sign-in name").fill("eve")
    dialog.get_by_label("Role").select_option("administrator")
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_role("button", name="Done").click()
    page.get_by_role("row", name="eve").get_by_role("button", name="Change").click()

    other = context.new_page()
    other.goto(url(guarded, "/settings/users"))
    other.get_by_role("row", name="eve").get_by_role("button", name="Change").click()
    theirs = other.get_by_role("dialog")
    theirs.get_by_label("Role").select_option("planner")
    theirs.get_by_role("switch").click(force=True)
    theirs.get_by_role("button", name="Save").click()
    expect(theirs).to_have_count(0)

    dialog.get_by_label("Full name").fill("Eve E")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("changed meanwhile")
    expect(dialog.get_by_label("Role")).to_have_value("planner")
    expect(dialog.get_by_role("switch")).not_to_be_checked()
    dialog.get_by_label("Full name").fill("Eve E")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    other.reload()
    row = other.get_by_role("row", name="eve")
    expect(row).to_contain_text("Planner")
    expect(row).to_contain_text("Eve E")
    expect(row.get_by_role("button", name="Link")).to_be_disabled()


def test_everybody_can_use_people_and_tokens(
    context: BrowserContext, guarded: Service, axe: str
) -> None:
    page = context.new_page()
    page.goto(url(guarded, "/settings/tokens"))
    sign_in(page, "ada")
    settle(page)
    assert grave(page, axe) == []
    page.goto(url(guarded, "/settings/users"))
    settle(page)
    assert grave(page, axe) == []
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("dialog").get_by_label("Sign-in name").wait_for()
    assert grave(page, axe) == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_on_a_phone_nothing_of_the_people_is_under_their_buttons(
    browser: Browser, guarded: Service, language: str
) -> None:
    with browser.new_context(
        viewport={"width": 390, "height": 844}, locale=language, timezone_id="Asia/Shanghai"
    ) as context:
        page = context.new_page()
        page.goto(url(guarded, "/settings/users"))
        sign_in(page, "ada")
        settle(page)
        expect(page.locator("td")).not_to_have_count(0)
        assert page.evaluate(COVERED) == []


def test_a_token_is_shown_once_works_and_is_revoked(
    context: BrowserContext, guarded: Service
) -> None:
    page = context.new_page()
    page.goto(url(guarded, "/settings/tokens"))
    sign_in(page, "ada")
    page.get_by_label("What for").fill("report")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator("[data-secret]").inner_text()
    assert secret.startswith("fw_")
    headers = {"Authorization": f"Bearer {secret}"}
    asked = context.request
    anonymous = context.browser
    assert anonymous is not None
    assert asked.get(url(guarded, "/api/v1/board"), headers=headers).status == 200
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked")).to_be_visible()
    expect(page.locator("section:focus")).to_be_visible()  # the button went, the keyboard did not
    bare = anonymous.new_context()
    assert bare.request.get(url(guarded, "/api/v1/board"), headers=headers).status == 401
    bare.close()
