"""`forewarn diagnose MACHINE VERB`: ask a machine's device something and wait for the answer."""

import json
import time
from collections.abc import Callable
from http import HTTPStatus
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
HEADS: Final = ("what", "value", "unit", "at (UTC)")
FEW: Final = 6  #: values of a captured column that are shown
#: by the name of a number, or what it ends in; any other counts what its name says
UNITS: Final = {"mbit": "Mbit/s", "aside": "batches", "resent": "times"}
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
        _show(client, row)
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


def _show(client: Client, row: Item) -> None:
    result = row["result"]
    if row["op"] == "log":
        heads = ("time", "level", "module", "text")
        said = [
            (one["at"], one["level"], one["name"], one["text"]) for one in result.get("lines", [])
        ]
        print_table(heads, said, none="no lines that fit")
    elif row["op"] == "selftest":
        checks = [
            (one["check"], "fine" if one["ok"] else "NOT fine", "" if one["ok"] else one["text"])
            for one in result.get("checks", [])
        ]
        print_table(("check", "", "what"), checks, none="nothing was checked")
    else:
        found = lines(result, _Units(client, row["device"]))
        wide = len(HEADS) if any(line[-1] for line in found) else len(HEADS) - 1
        print_table(HEADS[:wide], [line[:wide] for line in found], none="nothing")


class _Units:
    """Units of a device's columns, as the service shows them: each machine is asked for once."""

    def __init__(self, client: Client, device: str) -> None:
        self._client = client
        self._device = device
        self._known: dict[str, dict[str, str | None]] = {}

    def __call__(self, column: str) -> str:
        key, slash, signal = column.partition("/")
        if slash and (unit := self._of(f"{self._device}:{key}").get(signal)):
            return unit
        return self._of(self._device).get(column) or ""

    def _of(self, machine: str) -> dict[str, str | None]:
        if machine not in self._known:
            try:
                found = self._client.get(f"machines/{part(machine)}/signals")["items"]
            except ServiceError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                found = []
            self._known[machine] = {one["signal"]: one["unit"] for one in found}
        return self._known[machine]


def lines(
    result: Item, unit_of: Callable[[str], str], name: str = ""
) -> list[tuple[str, str, str, str]]:
    """Return a result as lines of name, value, unit and time; a capture's columns as a few values.

    `unit_of`: the unit of a column of readings; that of any other number follows from its name.
    """
    found = []
    for key, value in result.items():
        what = f"{name} {key}".strip()
        if isinstance(value, list):
            value = dict(enumerate(value))  # noqa: PLW2901 - the same, by number
        if not isinstance(value, dict):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            found.append((what, str(value), _unit(str(key)) if number else "", ""))
        elif value.keys() == {"at_ns", "values"}:
            found.append((what, _few(value["values"]), unit_of(key), ""))
        elif value.keys() == {"at", "value"}:
            found.append((what, str(value["value"]), unit_of(key), value["at"]))
        else:
            found += lines(value, unit_of, what)
    return found


def _unit(name: str) -> str:
    """Return the unit of a number that is no reading: its name ends in it, or counts something."""
    last = name.rpartition("_")[2]
    return UNITS.get(name) or UNITS.get(last, last)


def _few(values: list[Any]) -> str:
    shown = [str(one) for one in values[:FEW]]
    more = ["…"] if len(values) > FEW else []
    return f"{counted(len(values), 'value')}: {', '.join(shown + more)}"


def main(arguments: list[str]) -> int:
    """Run the verb and return its exit status."""
    return run(app, "diagnose", arguments)
