"""The addresses of these pages."""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.accounts import passwords
from cloud.accounts.errors import SignInNeeded, Wait
from cloud.accounts.values import ITSELF, Account
from cloud.api.cookies import clear_cookie, set_cookie
from cloud.api.deps import ApiDeps, Deps
from cloud.api.forms.acknowledging import read_code
from cloud.api.forms.render import render
from cloud.api.forms.words import WORDS, language_of
from cloud.api.problems import HttpProblem
from cloud.api.session import client_of, ended, signed_in
from cloud.api.users import NAME
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import TicketRow, TicketState
from cloud.notify.texts import moment
from models.words import title

LARGEST_FORM: Final = 8_192  #: bytes
SEE_OTHER: Final = 303
router: Final = APIRouter(include_in_schema=False)


async def _form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, the first of each name."""
    content = await request.body()
    if len(content) > LARGEST_FORM:
        raise HttpProblem(413, f"a form of at most {LARGEST_FORM} bytes is taken")
    try:
        found = parse_qs(
            content.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict"
        )
    except ValueError as error:
        raise HttpProblem(400, "the form cannot be read") from error
    return {name: values[0] for name, values in found.items()}


Form = Annotated[Mapping[str, str], Depends(_form)]


def local(address: str) -> str:
    """Return an address of this service to go on at; anything else leads to the first page."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    if not plain or parts.scheme or parts.netloc or re.search(r"[\x00-\x20\\]", address):
        return "/"
    return address


# -- sign in and out


@router.get("/sign-in", name="sign_in_page")
def sign_in_page(request: Request, deps: Deps, next: str = "/") -> Response:  # noqa: A002
    """Show the form."""
    if deps.desk.trial:
        words = WORDS[language_of(request)]
        return render(
            request, "note.html", "sign_in", note=words["trial"], href="/", link=words["back"]
        )
    return render(request, "sign-in.html", "sign_in", name="", next=local(next), note="")


@router.post("/sign-in", name="sign_in_form")
async def sign_in_form(request: Request, deps: Deps, form: Form) -> Response:
    """Sign in and go on."""
    name, words = form.get("name", "")[:64], WORDS[language_of(request)]
    going, status = local(form.get("next", "/")), 401
    try:
        _, secret = await signed_in(deps, name, form.get("password", "")[:256], client_of(request))
    except Wait as error:
        wrong, status = words["wait"].format(seconds=error.seconds), 429
    except SignInNeeded:
        wrong = words["wrong"]
    else:
        return _in(request, secret, going)
    return render(
        request,
        "sign-in.html",
        "sign_in",
        status=status,
        wrong=wrong,
        name=name,
        next=going,
        note="",
    )


def _in(request: Request, secret: str, going: str) -> Response:
    answer = RedirectResponse(going, SEE_OTHER)
    set_cookie(request, answer, secret)
    return answer


@router.get("/sign-out", name="sign_out_page")
def sign_out_page(request: Request) -> Response:
    """Ask."""
    return render(request, "sign-out.html", "sign_out")


@router.post("/sign-out", name="sign_out_form")
async def sign_out_form(request: Request, deps: Deps) -> Response:
    """Sign out in this browser."""
    await ended(deps)
    words = WORDS[language_of(request)]
    answer = render(request, "sign-in.html", "sign_in", name="", next="/", note=words["signed_out"])
    clear_cookie(request, answer)
    return answer


# -- one-time links


@router.get("/setup/{code}", name="setup_page")
@router.get("/password/{code}", name="password_page")
def password_page(request: Request, deps: Deps, code: str) -> Response:
    """Show the form to which a one-time link leads; looking does not use it up."""
    account = _owner(request, deps, code)
    return _ask(request, account, name=account.name if account else "")


@router.post("/setup/{code}", name="setup_form")
@router.post("/password/{code}", name="password_form")
async def password_form(request: Request, deps: Deps, code: str, form: Form) -> Response:
    """Set the password and sign in."""
    account = await asyncio.to_thread(_owner, request, deps, code)
    words = WORDS[language_of(request)]
    name = account.name if account else form.get("name", "")
    password = form.get("password", "")
    if re.fullmatch(NAME, name) is None:
        return _ask(request, account, name=name[:64], wrong=words["name_form"])
    if password != form.get("again"):
        return _ask(request, account, name=name, wrong=words["differs"])
    if account is None and name.casefold() in ITSELF:
        return _ask(request, account, name=name, wrong=words["name_itself"])
    try:
        passwords.check_form(password, name)
    except Refused as error:
        wrong = f"{words['form']} ({error.detail})"
        return _ask(request, account, name=name, wrong=wrong)
    kept = await asyncio.to_thread(deps.desk.make_hash, password)

    def used() -> str:
        return deps.desk.open(deps.desk.use_link(code, name, kept))

    return _in(request, await deps.submit(used), "/")


def _owner(request: Request, deps: ApiDeps, code: str) -> Account | None:
    """Return whose password a link sets (None: it makes the administrator)."""
    account = deps.desk.link(code)
    first = request.url.path.startswith("/setup/")
    if first != (account is None):
        raise NotFound("this link is for something else")
    return account


def _ask(
    request: Request, account: Account | None, *, name: str, wrong: str | None = None
) -> Response:
    words = WORDS[language_of(request, account.language if account else None)]
    first = account is None
    ask = words["setup_ask"] if first else words["choose_ask"].format(name=name)
    return render(
        request,
        "password.html",
        "setup" if first else "choose",
        status=422 if wrong else 200,
        language=account.language if account else None,
        wrong=wrong,
        first=first,
        name=name,
        ask=ask,
    )


# -- acknowledge


@router.get("/acknowledge/{code}", name="acknowledge_page")
def acknowledge_page(request: Request, deps: Deps, code: str) -> Response:
    """Show the ticket and a button; looking changes nothing."""
    ticket = deps.whole.ticket(read_code(deps.secret, code).ticket)
    is_open = ticket.state is TicketState.NEW
    return _ticket(request, deps, ticket, is_open=is_open, note="acknowledged_before")


@router.post("/acknowledge/{code}", name="acknowledge_form")
async def acknowledge_form(request: Request, deps: Deps, code: str) -> Response:
    """Take the ticket on in the name of the channel."""
    errand = read_code(deps.secret, code)

    def taken() -> tuple[TicketRow, str]:
        ticket = deps.whole.ticket(errand.ticket)
        try:
            actor = f"link of {errand.channel}"
            return deps.whole.acknowledge(ticket.id, ticket.version, actor=actor), "acknowledged"
        except Conflict:
            return ticket, "acknowledged_before"

    ticket, note = await deps.submit(taken)
    return await asyncio.to_thread(lambda: _ticket(request, deps, ticket, is_open=False, note=note))


def _ticket(
    request: Request, deps: ApiDeps, ticket: TicketRow, *, is_open: bool, note: str
) -> Response:
    spoken = language_of(request)
    words = WORDS[spoken]
    machine = deps.whole.machine(ticket.machine)
    due = words["between"].format(
        earliest=moment(ticket.due_earliest_ns), latest=moment(ticket.due_latest_ns)
    )
    if machine.clock == "data":
        due += words["data_clock"]
    return render(
        request,
        "acknowledge.html",
        "acknowledge",
        open=is_open,
        note=words[note],
        number=words["ticket"].format(number=ticket.number),
        what=title(ticket.title, ticket.mode, "zh" if spoken == "zh-CN" else "en"),
        machine=f"{machine.name} ({machine.id})" if machine.name else machine.id,
        due=due,
    )
