"""`forewarn user [add|list|invite|disable]`: people, for whoever runs the service."""

from typing import Annotated

import msgspec
import typer

from cloud.accounts.desk import Desk, blank
from cloud.accounts.values import Account, Role
from cloud.errors import Refused
from cloud.settings import CloudSettings
from cloud.times import rfc3339
from forewarn.client import ServiceError
from forewarn.directly import Settings, actor, desk_of, ledger_of, now_ns, settings_of
from forewarn.tables import AsJson, moment, print_json, print_table, run

app = typer.Typer(help="People who may sign in.", add_completion=False, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="with which that person signs in")]


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="what that person is")],
    settings: Settings = None,
    customer: Annotated[str | None, typer.Option(help="whose machines a customer sees")] = None,
    site: Annotated[list[str] | None, typer.Option(help="only of these sites")] = None,
) -> None:
    """Add a person and print the link with which that person chooses a password."""
    if (role is Role.CUSTOMER) != (customer is not None):
        raise ServiceError("--customer belongs to --role customer, and to no other")
    chosen = settings_of(settings)
    try:
        account = blank(name, role, customer=customer, sites=tuple(site or ()))
    except Refused as error:
        raise ServiceError(error.detail) from error
    with ledger_of(chosen) as ledger:
        desk = Desk(ledger, now_ns)
        link, secret = desk.new_link()
        ledger.account_add(account, link, actor=actor())
    _show(chosen, name, secret)


@app.command()
def invite(name: Name, settings: Settings = None) -> None:
    """Print a new link to choose a password; the one before is void."""
    chosen = settings_of(settings)
    with desk_of(chosen) as desk:
        secret = desk.password_link(_named(desk, name))
    _show(chosen, name, secret)


@app.command()
def disable(name: Name, settings: Settings = None) -> None:
    """Let nobody sign in under a name any more, and end its sign-ins and tokens."""
    with desk_of(settings_of(settings)) as desk:
        account = _named(desk, name)
        changed = msgspec.structs.replace(account, active=False)
        desk.change(changed, account.version, actor=actor())
    print(f"{name} can no longer sign in")


@app.command("list")
def list_users(settings: Settings = None, *, as_json: AsJson = False) -> None:
    """List people."""
    with desk_of(settings_of(settings)) as desk:
        found: list[Account] = []
        after = None
        while True:
            rows, after = desk.accounts(after=after, limit=200)
            found += rows
            if after is None:
                break
    rows_ = [
        (a.name, a.role.value, a.customer, ", ".join(a.sites), "yes" if a.active else "no",
         moment(rfc3339(a.signed_in_ns)) if a.signed_in_ns else "never")
        for a in found
    ]  # fmt: skip
    if as_json:
        heads = ("name", "role", "customer", "sites", "active", "signed_in")
        print_json([dict(zip(heads, row, strict=True)) for row in rows_])
        return
    heads = ("name", "role", "customer", "sites", "active", "signed in (UTC)")
    print_table(heads, rows_, none="nobody yet: everybody on this computer may do everything")


def _named(desk: Desk, name: str) -> Account:
    account = desk.named(name)
    if account is None:
        raise ServiceError(f"there is nobody named '{name}'")
    return account


def _show(settings: CloudSettings, name: str, secret: str) -> None:
    api = settings.api
    base = (api.public_url or f"http://{api.host}:{api.port}").rstrip("/")
    print(f"{name} chooses a password at (once, within a day)\n\n  {base}/password/{secret}")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    return run(app, "user", arguments)
