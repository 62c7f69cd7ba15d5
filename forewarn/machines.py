"""`forewarn machines [MACHINE]`: list machines, or show one with its newest assessment."""

from typing import Annotated, Any

import typer

from forewarn.client import Client, Item, part
from forewarn.tables import (
    AsJson,
    Url,
    days,
    moment,
    number,
    print_facts,
    print_json,
    print_table,
    run,
)

app = typer.Typer(add_completion=False)
HEADS = ("machine", "name", "profile", "state", "health", "left (p50)", "heard (UTC)")
NONE = "no machines yet: connect a device, or try `make demo`"


@app.command()
def machines(
    machine: Annotated[str | None, typer.Argument(help="show this one")] = None,
    query: Annotated[str | None, typer.Option("-q", "--query", help="part of id or name")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="only those that are unknown, learning, normal, alert, alarm or silent"),
    ] = None,
    url: Url = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List machines, or show one with its newest assessment."""
    client = Client(url)
    if machine is not None:
        place = f"machines/{part(machine)}"
        shown = {**client.get(place), "signals": client.get(f"{place}/signals")["items"]}
        print_json(shown) if as_json else show(shown, heard(client).get(machine))
        return
    found = list(client.items("machines", {"q": query, "state": state, "limit": 200}))
    if as_json:
        print_json(found)
    else:
        last = heard(client) if found else {}
        lines = (line(item, last.get(item["id"])) for item in found)
        print_table(HEADS, lines, none=NONE if query is state is None else "none")


def heard(client: Client) -> dict[str, str | None]:
    """Return by machine when the service last received something of it (real time)."""
    return {row["machine"]: row["heard"] for row in client.get("board")["items"]}


def line(item: Item, last: str | None) -> tuple[Any, ...]:
    """Return a machine, last heard at `last`, as a row of the table."""
    return (
        item["id"],
        item["name"],
        item["profile"],
        item["state"],
        number(item["health"], 3),
        days(item["left_s"]),
        moment(last),
    )


def show(item: Item, last: str | None) -> None:
    """Print one machine, last heard at `last`: facts, what was found, lives, signals."""
    facts = zip(HEADS, line(item, last), strict=True)
    assessed = moment(item["seen"], item["clock"])
    more = [("assessed", assessed), ("times", f"{item['clock']} time"), ("device", item["device"])]
    print_facts([*facts, *more])
    if item["profile_version"] is None:
        print(f"the service has no profile {item['profile']}: no limits and no parts apply")
    _show_found(item["assessment"] or {"conditions": [], "lives": []}, item["clock"])
    print()
    signals = [
        (one["signal"], number(one["value"]), one["unit"], moment(one["at"], item["clock"]))
        for one in item["signals"]
    ]
    print_table(("signal", "value", "unit", "at (UTC)"), signals, none="no signals yet")
    for one in item["signals"]:
        if one["profile_unit"] is not None:
            sent = f"{one['signal']}: the device sends {one['unit']}"
            print(f"{sent}, the profile expects {one['profile_unit']}: its limits do not apply")


def _show_found(found: Item, clock: str) -> None:
    """Print the conditions that last and the lives of an assessment, where there are any."""
    conditions = [
        (
            c["signal"],
            c["check"],
            number(c["value"]),
            number(c["expected"]),
            moment(c["since"], clock),
        )
        for c in found["conditions"]
        if c["active"]
    ]
    if conditions:
        print()
        print_table(("signal", "found", "value", "expected", "since (UTC)"), conditions, none="")
    lives = [
        (
            one["component"],
            one["mode"],
            one["basis"],
            *(days(one[name]) for name in ("p10_s", "p50_s", "p90_s")),
        )
        for one in found["lives"]
    ]
    if lives:
        print()
        print_table(("component", "mode", "basis", "p10", "p50", "p90"), lives, none="")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "machines", arguments)
