"""Retries that do nothing twice: the answer to a write is kept by its Idempotency-Key."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from cloud.errors import Conflict, Refused

REMEMBERED: Final = 1_000


@dataclass(slots=True)
class _Seen:
    fingerprint: bytes
    reply: Response | None = None  #: None while the first request is under way


class Repeats:
    """Replies by idempotency key, the newest `REMEMBERED`, while the service runs."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    async def once(
        self, request: Request, key: str | None, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Do `work`, or return what it answered when this key first came.

        Raises:
            Conflict: the first request with this key is still under way.
            Refused: the key was used for another request.
        """
        if key is None:
            return await work()
        place = (request.url.path, key)
        seen = self._seen.get(place)
        fingerprint = hashlib.sha256(await request.body()).digest()
        if seen is None:
            return await self._first(place, _Seen(fingerprint), work)
        if seen.fingerprint != fingerprint:
            raise Refused("header/Idempotency-Key", "this key was used for another body")
        if seen.reply is None:
            raise Conflict("the first request with this Idempotency-Key is still under way")
        return seen.reply

    async def _first(
        self, place: tuple[str, str], seen: _Seen, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        self._seen[place] = seen
        try:
            seen.reply = await work()
        except BaseException:
            del self._seen[place]
            raise
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return seen.reply
