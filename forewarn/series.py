"""`forewarn series MACHINE SIGNAL`: the readings of a signal, in buckets or as recorded."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Final

import typer

from cloud.times import rfc3339
from forewarn.client import Client, Item, ServiceError, part
from forewarn.tables import (
    AsJson,
    Url,
    number,
    print_csv,
    print_json,
    print_table,
    run,
    span_ns,
)
from models.contract.times import instant_ns

LINES: Final = 24  #: buckets on a terminal
app = typer.Typer(add_completion=False)
RAW_HEADS: Final = ("time", "value", "quality")
HEADS: Final = ("from", "min", "max", "first", "last", "readings")
NONE: Final = "no readings in that time"


@app.command()
def series(
    machine: Annotated[str, typer.Argument(help="its id, as `forewarn machines` lists it")],
    signal: Annotated[str, typer.Argument(help="as `forewarn machines MACHINE` lists it")],
    *,
    since: Annotated[
        str | None,
        typer.Option(help="90s, 15m, 1h, 7d: so long before the newest reading (default 24h)"),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="first time, RFC 3339: 2026-02-03T15:00:00Z")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="time after the last, RFC 3339 (default: after the newest reading)"),
    ] = None,
    width: Annotated[
        str, typer.Option(help="of a bucket, ISO 8601 (PT1M), or how many buckets")
    ] = str(LINES),
    url: Url = None,
    raw: Annotated[bool, typer.Option("--raw", help="every reading as it was sent")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the readings of a signal. A spike of one reading shows in `max` or `min`."""
    client = Client(url)
    place = f"machines/{part(machine)}"
    if since is not None:
        start = str(_since(client, place, signal, span_ns(since, "--since")))
    query = {"signal": signal, "start": start, "end": end}
    if raw:
        pages = client.pages(f"{place}/series", query | {"raw": "true"})
        _show_raw(pages, as_csv=as_csv, as_json=as_json)
        return
    found = client.get(f"{place}/series", query | {"width": width})
    _show_buckets(found, as_csv=as_csv, as_json=as_json)


def _since(client: Client, place: str, signal: str, span: int) -> int:
    for one in client.get(f"{place}/signals")["items"]:
        if one["signal"] == signal and one["at"] is not None:
            return max(0, instant_ns(one["at"]) - span)
    raise ServiceError(f"no reading of '{signal}' yet; `forewarn machines MACHINE` lists signals")


def _show_raw(pages: Iterator[Item], *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        first = next(pages)
        for page in pages:
            for name in ("times_ns", "values", "quality"):
                first[name] += page[name]
        print_json(first | {"next": None})
        return
    first = next(pages)
    rows = chain.from_iterable(map(_pairs, chain([first], pages)))
    if as_csv:
        print_csv(RAW_HEADS, rows)
    else:
        _say(first)
        print_table(RAW_HEADS, rows, none=NONE)


def _show_buckets(found: Item, *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif as_csv:
        names = [name for name in found if isinstance(found[name], list)]
        print_csv(names, zip(*(_shown(name, found[name]) for name in names), strict=True))
    else:
        _say(found)
        print_table(HEADS, _lines(found), none=NONE)


def _pairs(page: Item) -> Iterator[tuple[str, Any, int]]:
    times = map(rfc3339, page["times_ns"])
    return zip(times, page["values"], page["quality"], strict=True)


def _shown(name: str, column: list[Any]) -> list[Any]:
    return [rfc3339(ns) for ns in column] if name.endswith("_ns") else column


def _lines(found: Item) -> Iterator[tuple[str, ...]]:
    for at, *values, count in zip(
        found["bucket_ns"],
        *(found[name] for name in ("min", "max", "first", "last", "count")),
        strict=True,
    ):
        yield rfc3339(at), *(number(value) for value in values), str(count)


def _say(found: Item) -> None:
    unit = f" in {found['unit']}" if found["unit"] else ""
    width = f", buckets of {found['width']}" if "width" in found else ""
    line = f"{found['machine']} {found['signal']}{unit}, {found['clock']} time, UTC{width}"
    typer.echo(line, err=True)


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "series", arguments)
