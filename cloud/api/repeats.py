"""Retries that do nothing twice: the answer to a write is kept with it, by its Idempotency-Key."""

import hashlib
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import Response

from cloud.accounts.values import Principal
from cloud.ledger import Ledger, Reply


async def keeping(
    ledger: Ledger,
    request: Request,
    who: Principal,
    key: str | None,
    work: Callable[[], Response],
) -> Callable[[], Response]:
    """Return `work` so that it is done once for this caller, address and key.

    Raises, when called, `Refused` where the key was used for another body.
    """
    if key is None:
        return work
    place = "\n".join((who.account or "", request.method, request.url.path, key))
    name = hashlib.sha256(place.encode()).hexdigest()
    fingerprint = hashlib.sha256(await request.body()).hexdigest()

    def replied() -> Reply:
        answer = work()
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers
        )
        return Reply(status=answer.status_code, headers=headers, body=bytes(answer.body))

    def once() -> Response:
        reply = ledger.once(name, fingerprint, replied)
        answer = Response(reply.body, reply.status)
        answer.raw_headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers
        ]
        return answer

    return once
