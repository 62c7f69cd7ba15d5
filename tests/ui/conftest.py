"""Debian's Chromium before the pages of a running service. Nothing is mocked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from cloud import ui
from forewarn.broker import find_mosquitto, free_port
from tests.e2e.parts import Part, mosquitto, service
from tests.ui.plant import Probe, Running, need, simulate

HERE = Path(__file__).parent
WITHIN_MS = 90_000  #: what is expected comes within; nothing waits longer than it has to
expect.set_options(timeout=WITHIN_MS)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these last: Playwright's loop stays in the main thread, where others need their own."""
    items.sort(key=lambda item: item.path.is_relative_to(HERE))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    need(program, "chromium is not installed (Debian: apt install chromium)")
    need((ui.FOLDER / "index.html").is_file(), "the pages are not built: make setup")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=FLAGS) as found,
    ):
        yield found


@contextmanager
def lived(folder: Path, broker: Part) -> Iterator[Running]:
    """Start a service on which a fleet has lived for weeks, and a probe that reports now."""
    started = service(folder, broker.port)
    with started.part:
        told = simulate(broker)
        with Probe(broker):
            plant = Running(broker=broker, service=started, told=told)
            plant.first("/tickets")
            plant.first("/advisories", state="open")
            plant.first("/machines?limit=200", id="demo.probe")
            yield plant


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    need(find_mosquitto(), "mosquitto is not installed (Debian: apt install mosquitto)")
    with mosquitto(tmp_path_factory.mktemp("broker"), free_port()) as part:
        yield part


@pytest.fixture(scope="session")
def running(
    browser: Browser, broker: Part, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Weeks of a fleet. Its ticket stays new and its advisory open, whichever tests come first."""
    with lived(tmp_path_factory.mktemp("service"), broker) as plant:
        yield plant


@pytest.fixture(scope="session")
def spent(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same again for who uses them up: one test the ticket, another the advisory."""
    need(find_mosquitto(), "mosquitto is not installed (Debian: apt install mosquitto)")
    with (
        mosquitto(tmp_path_factory.mktemp("broker"), free_port()) as part,
        lived(tmp_path_factory.mktemp("service"), part) as plant,
    ):
        yield plant


class Watched:
    """A page whose complaints are kept: console errors, page errors, breaches of the policy."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.may_be_late = False  #: a write may come too late, which the browser notes too
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if self.may_be_late and "status of 412" in message.text:
            return
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(
        viewport={"width": 1280, "height": 860}, locale="en", timezone_id="Europe/Berlin"
    ) as found:
        found.set_default_timeout(WITHIN_MS)
        yield found
        for page in found.pages:  # they ask on while they are closed
            page.unroute_all(behavior="ignoreErrors")


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Watched]:
    """A page at 1280 px in English; it must not complain."""
    found = Watched(context.new_page())
    yield found
    assert found.complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as npm brought it."""
    path = Path("cloud/ui/web/node_modules/axe-core/axe.min.js")
    need(path.is_file(), "axe-core is not installed: make setup")
    return path.read_text("utf-8")
