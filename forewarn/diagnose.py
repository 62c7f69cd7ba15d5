"""`forewarn diagnose MACHINE VERB`: ask a machine's device something and wait for the answer."""

import json
import time
from typing import Annotated, Any, Final, Literal

import typer

from forewarn.client import Client, Item, ServiceError, part
from forewarn.tables import AsJson, Url, print_json, print_table, run
from models.counts import counted

LOOK_S: Final = 0.3
WORDS: Final = {
    "queued": "sent; no word from the device yet",
    "accepted": "the device has it and is at work",
}
app = typer.Typer(add_completion=False)


@app.command()
def diagnose(
    machine: Annotated[str, typer.Argument(help="its id, as `forewarn machines` lists it")],
    verb: Annotated[
        Literal["snapshot", "log", "capture", "selftest", "network"],
        typer.Argument(help="what to ask"),
    ],
    *,
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", "-a", help="NAME=VALUE: seconds=5, level=ERROR, signals=cpu,load1"),
    ] = None,
    expires: Annotated[
        float, typer.Option(help="seconds after which the question is void (5 to 3600)")
    ] = 60.0,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Ask a machine's device something: executed once, whatever happens on the way."""
    client = Client(url)
    body = {"op": verb, "args": _args(arg or []), "expires_s": expires}
    row = client.add(f"machines/{part(machine)}/commands", body)
    said = ""
    while row["state"] in WORDS:
        if not as_json and row["state"] != said:
            typer.echo(f"{machine} {verb}: {WORDS[row['state']]}", err=True)
        said = row["state"]
        time.sleep(LOOK_S)
        row = client.get(f"commands/{row['id']}")
    if as_json:
        print_json(row)
    elif row["state"] == "done":
        _show(row)
    if row["state"] != "done":
        raise ServiceError(f"{row['state']} ({row['status'] or 'no status'}): {row['text']}")


def _args(words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ServiceError(f"--arg {word}: write NAME=VALUE")
        if name == "signals":
            found[name] = value.split(",")
        else:
            found[name] = value if name == "text" else _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(row: Item) -> None:
    result = row["result"]
    if row["op"] == "log":
        heads = ("time", "level", "module", "text")
        lines = [
            (one["at"], one["level"], one["name"], one["text"]) for one in result.get("lines", [])
        ]
        print_table(heads, lines, none="no lines that fit")
    elif row["op"] == "selftest":
        checks = [
            (one["check"], "fine" if one["ok"] else "NOT fine", "" if one["ok"] else one["text"])
            for one in result.get("checks", [])
        ]
        print_table(("check", "", "what"), checks, none="nothing was checked")
    else:
        print_table(("what", "value"), list(_flat("", result)), none="nothing")


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    """Return nested maps as lines; a column of a capture as its first values."""
    if isinstance(value, dict) and set(value) == {"at_ns", "values"}:
        few = [str(one) for one in value["values"][:6]]
        more = ["…"] if len(value["values"]) > len(few) else []
        return [(name, f"{counted(len(value['values']), 'value')}: {', '.join(few + more)}")]
    if isinstance(value, dict) and set(value) == {"at", "value"}:
        return [(name, f"{value['value']}  at {value['at']}")]
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in _flat(f"{name} {key}".strip(), one)]
    if isinstance(value, list):
        return [line for i, one in enumerate(value) for line in _flat(f"{name} {i}", one)]
    return [(name, str(value))]


def main(arguments: list[str]) -> int:
    """Run the verb and return its exit status."""
    return run(app, "diagnose", arguments)
