"""The figures of the pages, measured and printed (`-s`); what is asserted does not depend on speed.

Long tier. `pytest tests/ui/test_figures.py -m long -s`
"""

import json
import os
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from cloud.ledger import Registration, open_ledger
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block
from tests.e2e.parts import Part, Service, service
from tests.ui.measuring import FRAMES, PIXELS, usable

pytestmark = pytest.mark.long
T0 = 1_750_000_000_000_000_000
SECOND = 10**9
DAYS = 30
MACHINES = 2_000
VIEWERS = 100
MINUTES = 10


def block(machine: str, n: int, times: np.ndarray, values: np.ndarray) -> Block:
    return Block(
        n=n,
        machine=machine,
        device=machine.partition(":")[0],
        boot="boot-0001",
        stream="live",
        seq=n * len(times),
        times_ns=times,
        received_ns=T0,
        signals=("temp",),
        columns=(values,),
    )


@pytest.fixture
def full(
    browser: Browser, broker: Part, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with 2,000 machines, one of which has 30 days at 1 Hz with one spike."""
    folder = tmp_path_factory.mktemp("full")
    found = service(folder, broker.port)
    found.data.mkdir()
    ledger = open_ledger(f"sqlite:///{found.data / 'ledger.db'}", lambda: T0)
    for i in range(MACHINES):
        device = f"big.site-{i // 100}"
        ledger.register(
            [Registration(f"{device}:m-{i:04}", device, "generic", f"Machine {i:04}", T0, "wall")]
        )
    ledger.close()
    store = SqliteTelemetry(found.data / "telemetry.db")
    rng = np.random.default_rng(7)
    hours = DAYS * 24
    for hour in range(hours):
        times = T0 + (np.arange(3600, dtype=np.int64) + hour * 3600) * SECOND
        values = np.round(20 + rng.normal(0, 0.5, 3600), 2)
        if hour == hours // 3:
            values[1234] = 99.0
        store.write([block("big.site-0:m-0000", hour, times, values)], hour)
    store.close()
    found.part.start()
    yield found
    found.part.stop()


def url(full: Service, path: str) -> str:
    return f"http://127.0.0.1:{full.port}{path}"


def opened(page: Page, full: Service) -> tuple[float, float]:
    """Go from the board to the machine; return ms to the first line drawn and the last change."""
    page.goto(url(full, "/?q=m-0000"))
    link = page.get_by_role("link", name="Machine 0000")
    link.wait_for()
    page.evaluate(f"addEventListener('click', {PIXELS}, {{capture: true, once: true}})")
    link.click()
    page.wait_for_function("() => window.pixels_ && window.pixels_.drawn > 0")
    page.wait_for_timeout(1_500)
    found = page.evaluate("window.pixels_")
    return found["drawn"], max(found["drawn"], found["last"])


def zoomed(page: Page) -> float:
    """Drag over a fifth of the chart; return ms from the release to the last change of pixels."""
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.23, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.43, y, steps=4)
    page.evaluate(f"addEventListener('mouseup', {PIXELS}, {{capture: true, once: true}})")
    with page.expect_response(lambda r: "/series" in r.url):
        page.mouse.up()
    page.wait_for_timeout(1_500)
    found = page.evaluate("window.pixels_")
    assert found["changes"] > 0
    return float(found["last"])


def test_thirty_days_at_one_hertz(browser: Browser, full: Service) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    found = [opened(page, full) for _ in range(5)]
    zooms = [zoomed(page) for _ in range(4)]
    spikes = []
    for days in (30.0, 2.0, 0.1, 0.01):
        middle = T0 + (DAYS * 24 // 3 * 3600 + 1234) * SECOND
        start = T0 if days == DAYS else middle - int(days * 43_200) * SECOND
        end = start + int(days * 86_400) * SECOND
        path = f"/api/v1/machines/big.site-0:m-0000/series?signal=temp&start={start}&end={end}"
        with urllib.request.urlopen(url(full, f"{path}&width=800")) as answer:
            spikes.append(max(json.load(answer)["max"]))
    drawn, settled = (statistics.median(column) for column in zip(*found, strict=True))
    print(
        f"\nload {os.getloadavg()[0]:.1f}; 30 days at 1 Hz, to pixels: drawn after {drawn:.0f} ms, "
        f"last change after {settled:.0f} ms (medians of {len(found)}); zooms drawn after "
        f"{', '.join(f'{one:.0f}' for one in zooms)} ms"
    )
    assert spikes == [99.0] * 4
    page.close()


def stream(full: Service, lags: list[float], until: float) -> None:
    """Read the stream as a program does; note how late each message is."""
    with urllib.request.urlopen(url(full, "/api/v1/events"), timeout=60) as answer:
        while time.time() < until:
            line = answer.readline()
            if line.startswith(b"data: ") and b'"machines"' in line:
                said = np.datetime64(json.loads(line[6:])["now"].rstrip("Z"), "ns")
                lags.append(time.time() - int(said.astype(np.int64)) / 1e9)


def report(full: Service, broker: Part, until: float) -> None:
    """Let ten machines of different devices report every second."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    from models.contract import topics

    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    n = 0
    while time.time() < until:
        n += 1
        for i in range(10):
            client.publish(topics.up(f"big.live-{i}", "t", "live"), f'{{"d":{{"temp":{n % 40}}}}}')
        time.sleep(1)
    client.disconnect()
    client.loop_stop()


def used(page: Page) -> float:
    """Return the page's heap in MB, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def test_two_thousand_machines_and_a_hundred_viewers(
    browser: Browser, broker: Part, full: Service
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(url(full, "/"))
    page.get_by_text(f"{MACHINES} machines").wait_for()
    until = time.time() + 60 * MINUTES
    reporting = threading.Thread(target=report, args=(full, broker, until))
    reporting.start()
    page.wait_for_timeout(5_000)
    page.evaluate(FRAMES)
    heaps, longest = [], []
    for _ in range(MINUTES - 1):
        heaps.append(used(page))
        page.evaluate("window.frames_.length = 0")
        page.wait_for_timeout(50_000)
        longest.append(page.evaluate("Math.max(...window.frames_.slice(5))"))
    lags: list[float] = []
    viewers = [threading.Thread(target=stream, args=(full, lags, until)) for _ in range(VIEWERS)]
    for one in viewers:
        one.start()
    for one in [*viewers, reporting]:
        one.join()
    lags.sort()
    p50, p99 = (lags[len(lags) * share // 100] for share in (50, 99))
    print(
        f"\nload {os.getloadavg()[0]:.1f}; {MACHINES} machines, 10 change a second: longest frame "
        f"of each minute {', '.join(f'{one:.0f}' for one in longest)} ms; heap "
        f"{', '.join(f'{one:.1f}' for one in heaps)} MB; {VIEWERS} viewers: {len(lags)} messages, "
        f"delivery p50 {p50:.3f} s, p99 {p99:.3f} s"
    )
    assert len(lags) > VIEWERS * 5
    page.close()


def test_the_board_of_two_thousand_is_soon_usable(browser: Browser, full: Service) -> None:
    found = [usable(browser, url(full, "/")) for _ in range(3)]
    interactive = statistics.median(one.interactive for one in found)
    cpu = statistics.median(one.cpu for one in found)
    print(
        f"\nload {os.getloadavg()[0]:.1f}; board of {MACHINES} at a quarter of the speed: "
        f"interactive after {interactive:.0f} ms, {cpu:.0f} ms of the main thread"
    )
    assert all(one.shown > 0 for one in found)
