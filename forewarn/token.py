"""`forewarn token [add|list|revoke]`: programs that act for somebody."""

from typing import Annotated

import typer

from cloud.accounts.desk import Desk
from cloud.accounts.values import Scope, Token
from cloud.times import rfc3339
from forewarn.client import ServiceError
from forewarn.directly import Settings, actor, desk_of, settings_of
from forewarn.tables import AsJson, moment, print_json, print_table, run

app = typer.Typer(
    help="Programs that act for somebody.", add_completion=False, no_args_is_help=True
)
Owner = Annotated[str, typer.Argument(metavar="NAME", help="for whom the program acts")]


@app.command()
def add(
    owner: Owner,
    name: Annotated[str, typer.Option(help="what it is for")],
    scope: Annotated[Scope, typer.Option(help="how much it may do")] = Scope.READ,
    days: Annotated[int, typer.Option(min=1, max=365, help="days it is valid")] = 90,
    settings: Settings = None,
) -> None:
    """Make a token and print it, once."""
    with desk_of(settings_of(settings)) as desk:
        token, secret = desk.make_token(_id(desk, owner), name, scope, days, actor=actor())
    print(
        f"token {token.id}, shown this once:\n\n  {secret}\n\n"
        "Programs send it as Authorization: Bearer …; this command line reads FOREWARN_TOKEN."
    )


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="as `list` shows it")],
    settings: Settings = None,
) -> None:
    """End a token at once."""
    with desk_of(settings_of(settings)) as desk:
        desk.revoke(token, actor=actor())
    print(f"token {token} is revoked")


@app.command("list")
def list_tokens(
    owner: Annotated[
        str | None, typer.Argument(metavar="NAME", help="whose (default: all)")
    ] = None,
    settings: Settings = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List tokens, of one person or of all."""
    with desk_of(settings_of(settings)) as desk:
        found, _ = desk.tokens(limit=1000, account=_id(desk, owner) if owner else None)
    rows = [_row(token) for token in found]
    if as_json:
        heads = ("id", "name", "scope", "expires", "used", "revoked")
        print_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    heads = ("token", "name", "scope", "expires (UTC)", "used", "revoked")
    print_table(heads, rows, none="no tokens")


def _row(token: Token) -> tuple[str | None, ...]:
    times = (token.expires_ns, token.used_ns, token.revoked_ns)
    shown = (moment(rfc3339(at)) if at is not None else None for at in times)
    return (token.id, token.name, token.scope.value, *shown)


def _id(desk: Desk, name: str) -> str:
    account = desk.named(name)
    if account is None:
        raise ServiceError(f"there is nobody named '{name}'")
    return account.id


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "token", arguments)
