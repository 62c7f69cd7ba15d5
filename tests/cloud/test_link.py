import asyncio
import logging
from pathlib import Path

import pytest

from cloud.errors import SettingsError
from cloud.link import Link
from cloud.settings import BrokerSettings
from tests.cloud.wires import DEVICE, T0


def test_messages_that_are_read_at_once_came_one_after_the_other() -> None:
    """A reading without a time has that of its arrival: two at one time could not be told apart."""
    link = Link(BrokerSettings(port=1), lambda: T0)
    topic = f"pm/1/{DEVICE}/up/t/live".encode()
    link._on_plain([(topic, b'{"d":{"temp":%d}}' % k, k, 1) for k in range(100)])
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
