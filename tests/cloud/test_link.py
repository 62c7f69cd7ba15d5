from cloud.link import Link
from cloud.settings import BrokerSettings
from tests.cloud.wires import DEVICE, T0


def test_messages_that_are_read_at_once_came_one_after_the_other() -> None:
    """A reading without a time has that of its arrival: two at one time could not be told apart."""
    link = Link(BrokerSettings(port=1), lambda: T0)
    topic = f"pm/1/{DEVICE}/up/t/live".encode()
    link._on_plain([(topic, b'{"d":{"temp":%d}}' % k, k, 1) for k in range(100)])
    assert [one.received_ns for one in link.group()] == list(range(T0, T0 + 100))
