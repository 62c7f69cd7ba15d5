"""Commands: ask a machine's device something, and read what came of it."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.api.bodies import body, takes
from cloud.api.deps import Deps
from cloud.api.pages import Paging, answer, one, single, tagged
from cloud.api.problems import HttpProblem, declared
from cloud.api.wire import Json
from cloud.api.writes import PROBLEMS, Creation, Signed
from cloud.diagnostics.values import Asked, Op

MAX_ARGS: Final = 8_192  #: bytes as JSON
router = APIRouter(prefix="/api/v1", tags=["diagnostics"])


class Question(Signed, frozen=True, kw_only=True):
    """What to ask: `args` depend on `op`; the device refuses what it does not know.

    `log`: since_ns, level (INFO, WARNING, ERROR), text, lines. `capture`: seconds (at most 60),
    rate_hz (at most 200), signals. The others take none.
    """

    op: Op
    args: dict[str, Any] = msgspec.field(default_factory=dict)
    expires_s: Annotated[float, msgspec.Meta(ge=5, le=3_600)] = 60.0


@router.post(
    "/machines/{machine}/commands",
    status_code=201,
    responses=tagged("CommandRow", 201) | declared(*PROBLEMS, 503),
    openapi_extra=takes(Question),
)
async def ask_machine(
    deps: Deps,
    write: Annotated[Creation, Depends()],
    machine: str,
    given: Annotated[Question, Depends(body(Question))],
) -> Response:
    """Ask a machine's device something; `state` says how far it is."""
    console = deps.console
    if console is None:
        raise HttpProblem(503, "this service has no way to send commands")
    if len(msgspec.json.encode(given.args)) > MAX_ARGS:
        raise HttpProblem(422, f"body/args: at most {MAX_ARGS:,} bytes")
    actor = deps.signed(given.actor)

    def work() -> Any:
        row = deps.ledger.machine(machine)
        asked = Asked(
            machine=machine,
            device=row.device,
            op=given.op,
            args=given.args,
            expires_ns=deps.health().now_ns + int(given.expires_s * 1e9),
            actor=actor,
        )
        return console.ask(asked)

    return await write.add(work)


@router.get("/machines/{machine}/commands", responses=answer("CommandPage") | declared(404))
def list_commands(paging: Paging, machine: str) -> Json:
    """List what was asked of a machine's device, newest first."""
    paging.deps.ledger.machine(machine)
    return paging.show(paging.deps.ledger.commands, machine=machine)


@router.get("/commands/{command}", responses=one("CommandRow") | declared(404))
def one_command(request: Request, deps: Deps, command: str) -> Response:
    """Return a command and what came of it."""
    row = deps.ledger.command(command)
    return single(request, row, row.version)
