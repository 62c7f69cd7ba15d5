"""The application: routes, problems, guard, description."""

from functools import cache
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from cloud import ui
from cloud.api import (
    advisories,
    alerts,
    assessments,
    board,
    commands,
    events,
    export,
    health,
    machines,
    metrics,
    parts,
    problems,
    profiles,
    quarantine,
    series,
    session,
    sites,
    tickets,
    tokens,
    trend,
    users,
)
from cloud.api.deps import ApiDeps, admit
from cloud.api.forms import routes as forms
from cloud.api.guard import Guard
from cloud.api.openapi import describe
from cloud.api.parameters import Known

VERSION: Final = "1.0"
SMALLEST_PACKED: Final = 4_096  #: bytes; shorter answers and streams of events go as they are
NOUNS: Final = (
    board,
    events,
    machines,
    parts,
    sites,
    series,
    export,
    assessments,
    trend,
    commands,
    advisories,
    tickets,
    alerts,
    profiles,
    session,
    users,
    tokens,
    quarantine,
    health,
    metrics,
)


def create_app(deps: ApiDeps) -> FastAPI:
    """Return the API over these parts."""
    app = bare()
    app.include_router(ui.router)
    app.state.deps = deps
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST_PACKED, compresslevel=4)
    app.add_middleware(Guard, public_url=deps.public_url)
    app.add_middleware(metrics.Observed, metrics=deps.metrics)
    return app


def bare() -> FastAPI:
    """Return the routes without anything behind them, as the description needs them."""
    app = FastAPI(
        title="forewarn",
        version=VERSION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(admit), Depends(Known())],
        generate_unique_id_function=_operation,
    )
    for noun in NOUNS:
        app.include_router(noun.router)
    app.include_router(forms.router)
    problems.install(app)

    @cache
    def description() -> dict[str, Any]:
        return describe(app)

    vars(app)["openapi"] = description  # the framework's own way to replace it
    return app


def _operation(route: APIRoute) -> str:
    return route.name
