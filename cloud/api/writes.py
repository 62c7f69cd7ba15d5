"""Writes: who acts, on which version of a row, and no retry twice."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec
from fastapi import Header, Request
from fastapi.responses import Response

from cloud.api.bodies import Body
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import single
from cloud.api.problems import HttpProblem
from cloud.api.repeats import keeping
from cloud.errors import Conflict

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00]+$")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of the version you saw; needed (428)")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="a key of your own: the same request again gets the first answer again",
    ),
]
PROBLEMS: Final = (403, 404, 409, 412, 415, 428, 507)


class Signed(Body, frozen=True, kw_only=True):
    """A body that may name who acts: believed on a trial installation, where nobody signs in."""

    actor: Name | None = None


class Versioned(Protocol):
    """A row that counts its changes."""

    @property
    def version(self) -> int:
        """Number of the newest change."""
        ...


R = TypeVar("R", bound=Versioned)


class Write:
    """A request that changes a row; a dependency of the routes that write."""

    def __init__(
        self,
        request: Request,
        deps: Deps,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> None:
        self.deps = deps
        self._request = request
        self._if_match = if_match
        self._key = idempotency_key

    def actor(self, given: Signed) -> str:
        """Return who acts (see `ApiDeps.signed`)."""
        return self.deps.signed(given.actor)

    async def change(
        self, read: Callable[[], Versioned], work: Callable[[int], R], show: Callable[[R], Any]
    ) -> Response:
        """Run `work(version)` on the writer thread if the client saw the newest version.

        Raises:
            HttpProblem: 428 without If-Match, 412 when the row changed since.
            Conflict: the row's state forbids the change.
        """

        def guarded() -> R:
            version = read().version
            _match(self._if_match, version)
            try:
                return work(version)
            except Conflict as error:
                if read().version != version:
                    raise HttpProblem(412, f"it changed meanwhile: {error}") from error
                raise

        def reply() -> Response:
            row = guarded()
            return single(self._request, show(row), row.version)

        return await _once(self.deps, self._request, self._key, reply)


class Creation:
    """A request that adds something; a dependency of the routes that create."""

    def __init__(
        self, request: Request, deps: Deps, idempotency_key: IdempotencyKey = None
    ) -> None:
        self.deps = deps
        self._request = request
        self._key = idempotency_key

    async def add(
        self, work: Callable[[], Any], *, status: int = 201, once: bool = True
    ) -> Response:
        """Run `work` on the writer thread, once for an Idempotency-Key.

        An answer with a secret in it must not be kept: `once` False does `work` again.
        """

        def reply() -> Response:
            return single(self._request, work(), status=status)

        return await _once(self.deps, self._request, self._key if once else None, reply)


async def _once(
    deps: ApiDeps, request: Request, key: str | None, reply: Callable[[], Response]
) -> Response:
    """Answer on the writer thread, once for an Idempotency-Key."""
    return await deps.submit(await keeping(deps.ledger, request, deps.principal, key, reply))


def _match(if_match: str | None, version: int) -> None:
    if if_match is None:
        raise HttpProblem(428, "read it first and send its ETag as If-Match")
    tags = [tag.strip() for tag in if_match.split(",")]
    if tags != ["*"] and f'"{version}"' not in tags:
        detail = f'you saw {if_match[:100]}, now it is "{version}": read it again and decide anew'
        raise HttpProblem(412, detail)
