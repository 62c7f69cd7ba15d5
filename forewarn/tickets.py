"""`forewarn tickets [show|ack|resolve|reopen|close|cancel|comment]`."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import typer

from cloud.accounts.values import ITSELF
from forewarn.client import Client, Item, ServiceError, part
from forewarn.tables import (
    Actor,
    AsJson,
    DryRun,
    Language,
    OfMachine,
    Url,
    day,
    in_words,
    me,
    moment,
    print_facts,
    print_json,
    print_table,
    run,
    who,
)

app = typer.Typer(add_completion=False)
HEADS: Final = ("ticket", "machine", "state", "what", "do it between", "and (UTC)")
OPEN: Final = ("new", "in_progress", "resolved")
REMARKS: Final = ("commented", "noted")  #: events that leave a ticket's version as it is
Ticket = Annotated[str, typer.Argument(metavar="TICKET", help="its number or id")]
Note = Annotated[str | None, typer.Option(help="a remark")]


@app.callback(invoke_without_command=True)
def tickets(
    context: typer.Context,
    machine: OfMachine = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="new, in_progress, resolved (these three if none is given), closed_confirmed, "
            "closed_unconfirmed, cancelled; may be given again"
        ),
    ] = None,
    lang: Language = None,
    url: Url = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="in any state")] = False,
    as_json: AsJson = False,
) -> None:
    """List tickets, newest first; the steps of one are sub-commands."""
    if context.invoked_subcommand is not None:
        return
    states = None if every else state or OPEN
    query = {"machine": machine, "state": states, "limit": 200}
    found = list(Client(url).items("tickets", query))
    if as_json:
        print_json(found)
    else:
        print_table(HEADS, (_line(item, lang) for item in found), none="no tickets")


def _line(item: Item, lang: str | None) -> tuple[Any, ...]:
    return (
        item["number"],
        item["machine"],
        item["state"],
        in_words(item["title"], lang),
        moment(item["due_earliest"], item["clock"]),
        moment(item["due_latest"], item["clock"]),
    )


@app.command()
def show(
    ticket: Ticket, lang: Language = None, url: Url = None, *, as_json: AsJson = False
) -> None:
    """Show one ticket with its history."""
    client = Client(url)
    item = _find(client, ticket)
    history = list(client.items(f"tickets/{item['id']}/history", {"limit": 200}))
    reasons = client.get(f"tickets/{item['id']}/why")
    if as_json:
        print_json({**item, **reasons, "history": history})
        return
    clock = item["clock"]
    print_facts(
        [
            *zip(HEADS, _line(item, lang), strict=True),
            *(("why", sentence) for sentence in in_words(reasons["why"], lang)),
            *(("forecast", sentence) for sentence in in_words(reasons["forecast"], lang)),
            ("confidence", reasons["confidence"]),
            ("action", in_words(item["action"], lang)),
            ("part", item["part"]),
            ("order by", day(item["order_by"], clock)),
            ("work", f"{item['duration_h']:g} h"),
            ("assigned to", item["assignee"]),
            ("verdict", item["verdict"]),
            ("as found", item["as_found"]),
            ("note", item["note"]),
            ("id", item["id"]),
        ]
    )
    print()
    rows = [(moment(e["recorded"]), who(e["actor"]), e["type"], _detail(e)) for e in history]
    print_table(("recorded (UTC)", "who", "what", "detail"), rows, none="no history")


def _detail(event: Item) -> str:
    return ", ".join(f"{name}: {value}" for name, value in event["detail"].items())


def _find(client: Client, ticket: str) -> Item:
    """Return a ticket by its id or its number."""
    if not ticket.isdecimal():
        return client.get(f"tickets/{part(ticket)}")
    for item in client.items("tickets", {"limit": 200}):
        if item["number"] == int(ticket):
            return item
    raise ServiceError(f"there is no ticket {ticket}; `forewarn tickets --all` lists them")


def _acted(client: Client, seen: Item, now: Item) -> bool:
    """Return whether anybody but the service made one of a ticket's versions since one was read.

    Each version is written with one event; what was read last is older than its history here.
    """
    events = client.items(f"tickets/{now['id']}/history", {"limit": 200})
    steps = [one for one in events if one["type"] not in REMARKS]
    return any(one["actor"] not in ITSELF for one in steps[seen["version"] - now["version"] :])


def _step(
    url: str | None, ticket: str, step: str, body: dict[str, Any], *, dry_run: bool, as_json: bool
) -> None:
    client = Client(url)
    item = _find(client, ticket)
    body["actor"] = body["actor"] or me()
    if dry_run:
        print_json({"ticket": item["id"], "state": item["state"], "step": step, "body": body})
        return
    if step == "comments":
        done = client.add(f"tickets/{item['id']}/{step}", body)
    else:
        done = client.change(
            f"tickets/{item['id']}", step, body, lambda seen, now: _acted(client, seen, now)
        )
    if as_json:
        print_json(done)
    else:
        print(f"ticket {item['number']}: {done.get('state', 'comment added')}")


@app.command()
def ack(
    ticket: Ticket,
    by: Actor = None,
    url: Url = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a new ticket on."""
    _step(url, ticket, "acknowledge", {"actor": by}, dry_run=dry_run, as_json=as_json)


@app.command()
def resolve(
    ticket: Ticket,
    verdict: Annotated[
        Literal["confirmed", "no_fault_found", "inconclusive"],
        typer.Option(help="whether the fault was there"),
    ],
    *,
    as_found: Annotated[str | None, typer.Option(help="what was found")] = None,
    note: Note = None,
    replaced: Annotated[
        str | None, typer.Option(help="component that is new now; the models begin anew with it")
    ] = None,
    by: Actor = None,
    url: Url = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Say what was found and done."""
    body = {"actor": by, "verdict": verdict, "as_found": as_found, "note": note}
    body["replaced"] = replaced
    _step(url, ticket, "resolve", body, dry_run=dry_run, as_json=as_json)


@app.command()
def close(
    ticket: Ticket,
    note: Note = None,
    by: Actor = None,
    url: Url = None,
    *,
    confirmed: Annotated[
        bool, typer.Option("--confirmed/--unconfirmed", help="whether the customer agrees")
    ] = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close a resolved ticket."""
    body = {"actor": by, "confirmed": confirmed, "note": note}
    _step(url, ticket, "close", body, dry_run=dry_run, as_json=as_json)


@app.command()
def comment(
    ticket: Ticket,
    text: Annotated[str, typer.Argument(help="the remark")],
    by: Actor = None,
    url: Url = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add a remark."""
    _step(url, ticket, "comments", {"actor": by, "text": text}, dry_run=dry_run, as_json=as_json)


def _with_a_reason(step: str) -> Callable[..., None]:
    """Return the command of a step that needs a reason."""

    def command(
        ticket: Ticket,
        note: Annotated[str, typer.Option(help="why")],
        by: Actor = None,
        url: Url = None,
        *,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        _step(url, ticket, step, {"actor": by, "note": note}, dry_run=dry_run, as_json=as_json)

    return command


app.command("reopen", help="Take a resolved ticket up again.")(_with_a_reason("reopen"))
app.command("cancel", help="End a ticket without work.")(_with_a_reason("cancel"))


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "tickets", arguments)
