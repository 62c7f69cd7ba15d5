"""What keeps accounts (the ledger does)."""

from typing import Protocol

from cloud.accounts.values import Account, Link, SignIn, Site, Token

Key = tuple[int | str, ...]


class AccountStore(Protocol):
    """Each method is one transaction. Raises `NotFound`, `Conflict` and `StoreError`s."""

    def accounts_exist(self) -> bool:
        """Whether there is an account at all."""
        ...

    def accounts(
        self, *, after: Key | None = None, limit: int = 100
    ) -> tuple[list[Account], Key | None]:
        """List accounts, newest first."""
        ...

    def account(self, account_id: str) -> Account:
        """Return one account."""
        ...

    def account_named(self, name: str) -> Account | None:
        """Return the account of a name."""
        ...

    def account_add(self, account: Account, link: Link | None, *, actor: str) -> Account:
        """Add an account with the link to choose its password; `Conflict` when the name is taken.

        The id, times and version of `account` are given by the store.
        """
        ...

    def account_first(self, account: Account, link_hash: str) -> Account:
        """Use up the setup link and add the administrator; `Conflict` when there is an account."""
        ...

    def account_change(self, account: Account, version: int, *, actor: str) -> Account:
        """Write an account's next version; `Conflict` without an administrator left.

        Its sign-ins end when it is no longer active or its role, customer, sites or password
        change.
        """
        ...

    def sign_in_add(self, sign_in: SignIn) -> None:
        """Note a sign-in."""
        ...

    def sign_in_of(self, hash_: str) -> tuple[SignIn, Account] | None:
        """Return a sign-in with its account."""
        ...

    def sign_in_seen(self, hash_: str, seen_ns: int) -> None:
        """Note that a sign-in is used."""
        ...

    def sign_in_end(self, hash_: str) -> None:
        """End one sign-in."""
        ...

    def sign_ins_end(self, account_id: str) -> int:
        """End all sign-ins of an account; return how many."""
        ...

    def tokens(
        self, *, after: Key | None = None, limit: int = 100, account: str | None = None
    ) -> tuple[list[Token], Key | None]:
        """List tokens, newest first; `account` None: everybody's."""
        ...

    def token(self, token_id: str) -> Token:
        """Return one token."""
        ...

    def token_of(self, hash_: str) -> tuple[Token, Account] | None:
        """Return the token of a secret with its account."""
        ...

    def token_add(self, token: Token, *, actor: str) -> Token:
        """Add a token; its id and time are given by the store."""
        ...

    def token_used(self, token_id: str, used_ns: int) -> None:
        """Note that a token is used."""
        ...

    def token_revoke(self, token_id: str, *, actor: str) -> Token:
        """End a token at once; again changes nothing."""
        ...

    def link_add(self, link: Link) -> None:
        """Keep a one-time link; older ones of the same account (or none) are void."""
        ...

    def link_of(self, hash_: str) -> tuple[Link, Account | None] | None:
        """Return an unused link with its account."""
        ...

    def link_use(self, hash_: str, password: str) -> Account:
        """Use up a link: its account has this password hash, and its other sign-ins end."""
        ...

    def site(self, machine: str) -> Site:
        """Return where a machine stands."""
        ...

    def sites(self, machines: list[str]) -> dict[str, Site]:
        """Return where machines stand."""
        ...

    def site_set(
        self, machine: str, version: int, *, customer: str, site: str | None, actor: str
    ) -> Site:
        """Say whose a machine is and where it stands."""
        ...

    def device_add(self, device: str, *, clock: str, actor: str) -> None:
        """Register a device, so that it is accepted from beyond this computer."""
        ...

    def device_remove(self, device: str, *, actor: str) -> None:
        """Take a device's registration back."""
        ...

    def devices_registered(self) -> dict[str, str]:
        """Return the clocks (`wall` or `data`) of the registered devices."""
        ...
