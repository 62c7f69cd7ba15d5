"""The service with a client that acknowledges by itself, as asyncio-mqtt does: for comparison."""

import sys
from collections.abc import Callable

import cloud.app
from cloud.link import Link
from cloud.quota import Limits
from cloud.settings import BrokerSettings


class AutoAckLink(Link):
    """Lets paho acknowledge before our code has run."""

    def __init__(
        self, settings: BrokerSettings, now: Callable[[], int], limits: Limits | None = None
    ) -> None:
        super().__init__(settings, now, limits)
        self._client.manual_ack_set(False)
        self._client.on_plain = None  # every message is left to paho

    def acknowledge(self, group: object) -> None:
        """Too late to matter."""


cloud.app.Link = AutoAckLink  # type: ignore[attr-defined]

if __name__ == "__main__":
    from forewarn.__main__ import main

    sys.exit(main(sys.argv[1:]))
