"""Which devices are taken: all on a broker of this computer alone, else the registered ones.

What comes from another device is set aside and gets no receipt, so that the device keeps it; after
`forewarn device add` it comes again and is taken, and the broker is asked for its birth. What a
device says of its clock must be what it was registered with: readings on a clock of their own
escape the rules for late and future ones.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from cloud.errors import StoreError
from models.contract.messages import Birth

AGAIN_NS: Final = 1_000_000_000  #: an unknown device is looked up once a second at most
FRESH_NS: Final = 10 * AGAIN_NS  #: a removed device is refused so much later at most
STRANGERS: Final = 1_000  #: refused devices remembered
log = logging.getLogger(__name__)


class Admission:
    """Says why a message is not taken. One thread uses it.

    `registered` returns the clocks (`wall` or `data`) of the registered devices; `joined` is called
    when one that was refused before is taken.
    """

    def __init__(
        self,
        registered: Callable[[], Mapping[str, str]],
        now: Callable[[], int],
        joined: Callable[[], None],
    ) -> None:
        self._registered = registered
        self._now = now
        self._joined = joined
        self._known: Mapping[str, str] = {}
        self._looked_ns: int | None = None
        self._strangers: dict[str, None] = {}
        #: registered devices whose newest birth was refused -> the clock it should have had
        self._misborn: dict[str, str] = {}

    def __call__(self, device: str, message: object) -> str | None:
        """Return what keeps a device's message out (None: nothing)."""
        if device not in self._known or self._older(FRESH_NS):
            self._look()
        if self._misborn.get(device) not in (None, self._known.get(device)):
            del self._misborn[device]  # registered anew: the birth may be right now
            self._joined()
        reason = self._reason(device, message)
        if device not in self._known:
            self._strangers.setdefault(device)
            if len(self._strangers) > STRANGERS:
                del self._strangers[next(iter(self._strangers))]
        elif device in self._strangers:
            del self._strangers[device]
            self._joined()
        return reason

    def _reason(self, device: str, message: object) -> str | None:
        clock = self._known.get(device)
        if clock is None:
            return f"{device} is not registered: forewarn device add {device}"
        if not isinstance(message, Birth):
            refused = f"{device}: its birth was refused, and nothing can be read without it"
            return refused if device in self._misborn else None
        self._misborn.pop(device, None)
        if message.time != clock:
            self._misborn[device] = clock
            return (
                f"{device} says time = {message.time} and is registered with {clock}: "
                f"forewarn device add {device} --time {message.time}"
            )
        return None

    def _older(self, than_ns: int) -> bool:
        return self._looked_ns is None or self._now() - self._looked_ns >= than_ns

    def _look(self) -> None:
        if not self._older(AGAIN_NS):
            return
        self._looked_ns = self._now()
        try:
            self._known = self._registered()
        except StoreError as error:
            log.warning("registered devices: %s", error)
