"""Metrics for Prometheus, and the measuring of each answer."""

import logging
import time
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.deps import Deps
from cloud.api.problems import HttpProblem, declared
from cloud.logs import trace_of, traced
from cloud.metrics import MEDIA_TYPE, Metrics

TRACE_HEADER: Final = "X-Trace-Id"
log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])
_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@router.get("/metrics", responses=_TEXT | declared(501), response_class=Response)
def metrics(deps: Deps) -> Response:
    """Return the service's metrics for Prometheus; beyond loopback with an API token."""
    if deps.metrics is None:
        raise HttpProblem(501, "this service counts nothing")
    return Response(deps.metrics.exposition(), media_type=MEDIA_TYPE)


class Observed:
    """ASGI middleware around everything: a trace id for each request, and how long it took.

    The id comes from a W3C `traceparent` header where there is one, and leaves as `X-Trace-Id`.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and measure until the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[TRACE_HEADER] = trace
                self._note(scope, message["status"], time.perf_counter() - begin)
            await send(message)

        with traced(trace_of(Headers(scope=scope).get("traceparent"))) as trace:
            await self._app(scope, receive, observed)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        operation = route.name if route is not None else "none"
        if self._metrics is not None:
            self._metrics.answers.labels(operation, f"{status // 100}xx").observe(seconds)
        log.debug("%s %s: %d in %.1f ms", scope["method"], scope["path"], status, seconds * 1e3)
