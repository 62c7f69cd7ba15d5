"""Draws the pictures of the pages for README and documentation: `python -m tests.ui.pictures`.

A fleet lives for some weeks; the pictures show it shortly before a machine fails.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from forewarn.broker import free_port
from tests.e2e.parts import mosquitto, service
from tests.ui.conftest import FLAGS
from tests.ui.plant import Running, simulate

IMAGES: Final = Path("docs/images")
SEED, DAYS = 7, 36.0
WIDE: Final = ViewportSize(width=1280, height=860)
PHONE: Final = ViewportSize(width=390, height=844)


def settle(page: Page) -> None:
    """Wait until everything that a page loads is there."""
    page.get_by_role("heading", level=1).wait_for()
    expect(page.locator("main [role=status]")).to_have_count(0)
    page.wait_for_load_state("load")
    page.wait_for_timeout(1_500)  # charts are drawn as their series come in


def draw(browser: Browser, running: Running, folder: Path) -> None:
    """Draw every page: in English and light, the phone in Chinese and dark."""
    ticket = running.first("/tickets")
    machine = f"/machines/{ticket['machine']}"
    pages = {
        "board": "/",
        "machine": machine,
        "inbox": f"/inbox/{ticket['advisory_id']}?show=done",
        "tickets": "/tickets",
        "ticket": f"/tickets/{ticket['id']}",
        "overview": "/overview",
        "settings": "/settings/profiles",
    }
    wide = browser.new_context(viewport=WIDE, locale="en", timezone_id="UTC", color_scheme="light")
    page = wide.new_page()
    for name, path in pages.items():
        page.goto(running.url + path)
        settle(page)
        if name == "machine":
            page.get_by_label("Forecast").check()
            page.wait_for_timeout(1_500)
        if name == "settings":
            page.get_by_text("Centrifugal pump").click()
        page.screenshot(path=folder / f"page-{name}.png")
    phone = browser.new_context(
        viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", color_scheme="dark"
    )
    page = phone.new_page()
    for name in ("board", "machine", "ticket"):
        page.goto(running.url + pages[name])
        settle(page)
        page.screenshot(path=folder / f"phone-{name}.png")


def main() -> None:
    """Draw into `docs/images`, or the folder that is named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    program = shutil.which("chromium")
    assert program, "chromium is not installed (Debian: apt install chromium)"
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        broker = mosquitto(Path(name), free_port())
        broker.start()
        started = service(Path(name), broker.port)
        started.part.start()
        try:
            simulate(broker, seed=SEED, days=DAYS)
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            draw(browser, Running(broker=broker, service=started), folder)
            browser.close()
        finally:
            started.part.stop()
            broker.stop()


if __name__ == "__main__":
    main()
