"""`forewarn advisories [show|accept|defer|reject]`: the planner's inbox."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from forewarn.client import Client, Item, part
from forewarn.tables import (
    Actor,
    AsJson,
    DryRun,
    Language,
    OfMachine,
    Url,
    days,
    in_words,
    me,
    moment,
    number,
    print_facts,
    print_json,
    print_table,
    run,
)

app = typer.Typer(add_completion=False)
HEADS: Final = ("advisory", "machine", "state", "what", "sure", "latest (UTC)")
OPEN: Final = ("open", "deferred")
DECIDED: Final = (  #: all that people write on it
    "state",
    "acknowledged_by",
    "acknowledged",
    "decided_by",
    "reason",
    "defer_until",
    "ticket_id",
    "verdict",
)
Advisory = Annotated[str, typer.Argument(metavar="ADVISORY", help="its id")]


@app.callback(invoke_without_command=True)
def advisories(
    context: typer.Context,
    machine: OfMachine = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="open, deferred (these two if none is given), shadow, accepted, rejected, "
            "verified, expired, closed; may be given again"
        ),
    ] = None,
    lang: Language = None,
    url: Url = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="in any state")] = False,
    as_json: AsJson = False,
) -> None:
    """List advisories, newest first; the decisions about one are sub-commands."""
    if context.invoked_subcommand is not None:
        return
    states = None if every else state or OPEN
    query = {"machine": machine, "state": states, "limit": 200}
    found = list(Client(url).items("advisories", query))
    if as_json:
        print_json(found)
    else:
        print_table(HEADS, (_line(item, lang) for item in found), none="no advisories")


def _line(item: Item, lang: str | None) -> tuple[Any, ...]:
    return (
        item["id"],
        item["machine"],
        item["state"],
        in_words(item["title"], lang),
        item["confidence"],
        moment(item["due_latest"], item["clock"]),
    )


@app.command()
def show(
    advisory: Advisory, lang: Language = None, url: Url = None, *, as_json: AsJson = False
) -> None:
    """Show one advisory with what speaks for it."""
    client = Client(url)
    place = f"advisories/{part(advisory)}"
    item = client.get(place)
    evidence = client.get(f"{place}/evidence")["items"]
    why = client.get(f"{place}/why")
    if as_json:
        now = {name: why[name] for name in ("life", "life_at")}
        print_json({**item, **now, "evidence": evidence})
        return
    print_facts(
        [
            *zip(HEADS, _line(item, lang), strict=True),
            ("component", item["component"]),
            ("action", in_words(item["action"], lang)),
            ("part", item["part"]),
            ("life left", _left(why)),
            ("ticket", item["ticket_id"]),
            ("reason", item["reason"]),
        ]
    )
    print()
    rows = [
        (
            one["signal"],
            one["check"] or one["kind"],
            number(one["value"]),
            number(one["expected"]),
            moment(one["since"], item["clock"]),
            moment(one["ended"], item["clock"]),
        )
        for one in evidence
    ]
    heads = ("signal", "found", "value", "expected", "since (UTC)", "until")
    print_table(heads, rows, none="no evidence")


def _left(why: Item) -> str | None:
    """Return a remaining life with the time from which it counts; None where none is known."""
    band = [days((why["life"] or {}).get(name)) for name in ("p10_s", "p50_s", "p90_s")]
    if not any(band):
        return None
    at = moment(why["life_at"], why["clock"])
    return f"{' .. '.join(band)} (p10 .. p50 .. p90) from {at}"


def _acted(seen: Item, now: Item) -> bool:
    return any(now[name] != seen[name] for name in DECIDED)


def _decide(
    url: str | None, advisory: str, step: str, body: dict[str, Any], *, dry_run: bool, as_json: bool
) -> None:
    body["actor"] = body["actor"] or me()
    if dry_run:
        print_json({"advisory": advisory, "step": step, "body": body})
        return
    done = Client(url).change(f"advisories/{part(advisory)}", step, body, _acted)
    if as_json:
        print_json(done)
    else:
        ticket = f", ticket {done['ticket_id']}" if done["ticket_id"] else ""
        print(f"advisory {done['id']}: {done['state']}{ticket}")


@app.command()
def accept(
    advisory: Advisory,
    by: Actor = None,
    url: Url = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Accept: the ticket is made."""
    _decide(url, advisory, "accept", {"actor": by}, dry_run=dry_run, as_json=as_json)


@app.command()
def defer(
    advisory: Advisory,
    until: Annotated[
        str, typer.Option(help="RFC 3339, on the machine's clock: 2026-02-03T15:00:00Z")
    ],
    *,
    reason: Annotated[str | None, typer.Option(help="why")] = None,
    by: Actor = None,
    url: Url = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Look at it again later."""
    body = {"actor": by, "until": until, "reason": reason}
    _decide(url, advisory, "defer", body, dry_run=dry_run, as_json=as_json)


def _with_a_reason(step: str) -> Callable[..., None]:
    """Return the command of a step that needs a reason."""

    def command(
        advisory: Advisory,
        reason: Annotated[str, typer.Option(help="why")],
        by: Actor = None,
        url: Url = None,
        *,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        body = {"actor": by, "reason": reason}
        _decide(url, advisory, step, body, dry_run=dry_run, as_json=as_json)

    return command


app.command("shelve", help="Put it away until it gets worse.")(_with_a_reason("shelve"))
app.command("reject", help="Reject: nothing will be done.")(_with_a_reason("reject"))


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "advisories", arguments)
