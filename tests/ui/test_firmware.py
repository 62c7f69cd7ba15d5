"""The author of a firmware sees on the pages what was wrong with a message."""

from collections.abc import Iterator

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Locator, Page, expect

from models.contract import topics
from tests.ui.conftest import Watched
from tests.ui.plant import Running

DEVICE = "acme.firmware"
BIRTH = (
    '{"boot":"0199-firmware","dh":"00000001","metrics":[],"machines":{"":{"profile":"crane-x"}}}'
)


@pytest.fixture(scope="module")
def mistaken(running: Running) -> Iterator[Running]:
    """A device that names a type nobody knows, and sends a text where a number belongs."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", running.broker.port)
    client.loop_start()
    for kind, text in (
        (("birth",), BIRTH),
        (("t", "live"), '{"d":{"temp":41.9}}'),
        (("t", "live"), '{"d":{"temp":[41.9,"hot"]},"n":2}'),
    ):
        client.publish(topics.up(DEVICE, *kind), text, qos=1).wait_for_publish()
    running.first("/machines?limit=200", id=DEVICE)
    running.first(f"/quarantine?device={DEVICE}")
    yield running
    client.disconnect()
    client.loop_stop()


def named(place: Page | Locator) -> None:
    """It is named which field, what was found and what is wanted."""
    place.locator("summary", has_text="a field of the wrong type").click()
    expect(place.get_by_text("temp: give numbers, true and false, or null")).to_be_visible()


def test_the_machine_s_page_names_the_field(watched: Watched, mistaken: Running) -> None:
    watched.page.goto(f"{mistaken.url}/machines/{DEVICE}")
    named(watched.page.get_by_role("region", name="Data quality"))


def test_the_service_s_page_names_it_by_device(watched: Watched, mistaken: Running) -> None:
    watched.page.goto(f"{mistaken.url}/settings/service")
    named(watched.page.locator("tr", has_text=DEVICE))


def test_a_type_that_nobody_knows_is_said(watched: Watched, mistaken: Running) -> None:
    watched.page.goto(f"{mistaken.url}/machines/{DEVICE}")
    expect(watched.page.get_by_text("names the machine type crane-x")).to_be_visible()
