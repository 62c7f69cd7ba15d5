import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

from cloud.errors import SettingsError
from cloud.link import Link
from cloud.settings import BrokerSettings
from forewarn.broker import embedded, free_port
from tests.cloud.wires import DEVICE, T0
from tests.e2e.parts import eventually, mosquitto


def test_messages_that_are_read_at_once_came_one_after_the_other() -> None:
    """A reading without a time has that of its arrival: two at one time could not be told apart."""
    link = Link(BrokerSettings(port=1), lambda: T0)
    topic = f"pm/1/{DEVICE}/up/t/live".encode()
    link._take([(topic, b'{"d":{"temp":%d}}' % k, k, 1) for k in range(100)])
    assert [one.received_ns for one in link.group()] == list(range(T0, T0 + 100))


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_ca_that_does_not_do_is_named(tmp_path: Path, text: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if text is not None:
        ca.write_text(text)
    with pytest.raises(SettingsError, match=f"broker.ca_file: {ca}: "):
        Link(BrokerSettings(port=8883, ca_file=str(ca)), lambda: T0)


async def test_why_there_is_no_connection_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "cloud.link")
    link = Link(BrokerSettings(port=1), lambda: T0)
    link.start()
    async with asyncio.timeout(120):
        while link.error is None:  # noqa: ASYNC110  another thread sets it
            await asyncio.sleep(0.01)
    link.stop()
    assert "127.0.0.1:1: [Errno 111] Connection refused" in link.error
    assert caplog.text.count("no connection to 127.0.0.1:1") == 1


@pytest.mark.broker
def test_another_service_with_the_same_name_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "cloud.link")
    with mosquitto(tmp_path, free_port()) as broker, contextlib.ExitStack() as links:
        for _ in range(2):
            link = Link(BrokerSettings(port=broker.port), lambda: T0)
            link.start()
            links.callback(link.stop)
            assert link.connected.wait(120)
        said = "does another service use broker.client_id 'forewarn-ingest', too?"
        eventually(lambda: said in caplog.text or None)


@pytest.mark.broker
def test_a_lost_connection_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "cloud.link")
    with mosquitto(tmp_path, free_port()) as broker:
        link = Link(BrokerSettings(port=broker.port), lambda: T0)
        link.start()
        assert link.connected.wait(120)
        broker.kill()
        eventually(lambda: f"connection to 127.0.0.1:{broker.port} lost" in caplog.text or None)
        link.stop()


@pytest.mark.broker
def test_a_broker_of_mqtt_3_is_answered_by_the_setting_that_suits_it(tmp_path: Path) -> None:
    with embedded(tmp_path, prefer="nats-server") as broker:
        link = Link(BrokerSettings(port=broker.port), lambda: T0)
        link.start()
        said = f"127.0.0.1:{broker.port} refused: Unsupported protocol version; set broker.version"
        eventually(lambda: said in (link.error or "") or None)
        link.stop()


@pytest.mark.broker
def test_a_refusal_is_said_in_the_brokers_words_and_is_no_lost_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "cloud.link")
    broker = mosquitto(tmp_path, free_port())
    link = Link(BrokerSettings(port=broker.port), lambda: T0)
    with broker:
        link.start()
        assert link.connected.wait(120)
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("anonymous true", "anonymous false"))
    with broker:
        eventually(lambda: broker.log.read_text().count("not authorised") > 1 or None)
        link.stop()
    said = f"127.0.0.1:{broker.port} refused: Not authorized"
    assert link.error == said
    assert caplog.text.count(said) == caplog.text.count(" lost: ") == 1
    assert "another service" not in caplog.text
