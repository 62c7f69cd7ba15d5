"""Accounts, sign-ins, tokens and one-time links in the ledger. See `cloud.accounts.store`."""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from cloud.accounts.values import Account, Link, Role, SignIn, Token
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import accounts_tables as t
from cloud.ledger.base import Part, check_version, pack, unpack

Key = tuple[int | str, ...]
replace = msgspec.structs.replace
#: what of an account, when it changes, ends its sign-ins
RIGHTS = ("role", "customer", "sites", "active", "password")


class Accounts(Part):
    """People and programs that may use the service."""

    def accounts_exist(self) -> bool:
        """Whether there is an account at all."""
        with self._db.reading() as connection:
            return self._any(connection)

    @staticmethod
    def _any(connection: sa.Connection) -> bool:
        return connection.scalar(sa.select(t.account.c.id).limit(1)) is not None

    def accounts(
        self, *, after: Key | None = None, limit: int = 100
    ) -> tuple[list[Account], Key | None]:
        """List accounts, newest first."""
        return self._page(sa.select(t.account), Account, t.account.c.id, after, limit)

    def account(self, account_id: str) -> Account:
        """Return one account."""
        with self._db.reading() as connection:
            return self._get(connection, t.account, Account, account_id)

    def account_named(self, name: str) -> Account | None:
        """Return the account of a name, in whatever case it is written."""
        with self._db.reading() as connection:
            row = connection.execute(
                sa.select(t.account).where(t.account.c.name == name.lower())
            ).one_or_none()
        return unpack(Account, row) if row else None

    def account_add(self, account: Account, link: Link | None, *, actor: str) -> Account:
        """Add an account with the link to choose its password; `Conflict` when the name is taken.

        The id, times and version of `account` are given by the store.
        """
        with self._db.writing() as connection:
            added = self._add(connection, account, actor)
            if link is not None:
                connection.execute(sa.insert(t.link).values(pack(replace(link, account=added.id))))
        return added

    def account_first(self, account: Account, link_hash: str) -> Account:
        """Use up the setup link and add the administrator; `Conflict` when there is an account."""
        with self._db.writing() as connection:
            if self._any(connection):
                raise Conflict("there is an administrator already")
            self._use(connection, link_hash)
            return self._add(connection, account, account.name)

    def _add(self, connection: sa.Connection, account: Account, actor: str) -> Account:
        name = account.name.lower()
        if connection.scalar(sa.select(t.account.c.id).where(t.account.c.name == name)):
            raise Conflict(f"there is an account '{name}' already")
        added = replace(account, id=self._new_id(), recorded_ns=self._clock(), version=1, name=name)
        connection.execute(sa.insert(t.account).values(pack(added)))
        self._tell(connection, added.id, "added", actor, {"name": name, "role": account.role})
        return added

    def account_change(self, account: Account, version: int, *, actor: str) -> Account:
        """Write an account's next version; `Conflict` without an administrator left.

        Its sign-ins end when it is no longer active or its role, customer, sites or password
        change.
        """
        with self._db.writing() as connection:
            old = self._get(connection, t.account, Account, account.id)
            check_version(old.version, version, "account")
            return self._change(connection, old, account, actor)

    def _change(self, connection: sa.Connection, old: Account, new: Account, actor: str) -> Account:
        new = replace(new, version=old.version + 1, name=old.name)
        connection.execute(sa.update(t.account).where(t.account.c.id == old.id).values(pack(new)))
        left = connection.scalar(
            sa.select(t.account.c.id)
            .where(t.account.c.role == Role.ADMINISTRATOR.value, t.account.c.active)
            .limit(1)
        )
        if left is None and old.role is Role.ADMINISTRATOR:
            raise Conflict("this is the last administrator: make another one first")
        changed = [name for name in RIGHTS if getattr(old, name) != getattr(new, name)]
        if changed:
            self._end_all(connection, old.id)
        before, after = pack(old), pack(new)
        detail = {
            key: value
            for key, value in after.items()
            if value != before[key] and key not in ("password", "version")
        }
        if "password" in changed:
            detail["password"] = "changed"  # noqa: S105 - the word, not the password
        self._tell(connection, old.id, "changed", actor, detail)
        return new

    # -- sign-ins

    def sign_in_add(self, sign_in: SignIn) -> None:
        """Note a sign-in; those that are over go."""
        with self._db.writing() as connection:
            connection.execute(
                sa.delete(t.sign_in).where(t.sign_in.c.expires_ns <= sign_in.recorded_ns)
            )
            connection.execute(sa.insert(t.sign_in).values(pack(sign_in)))
            connection.execute(
                sa.update(t.account)
                .where(t.account.c.id == sign_in.account)
                .values(signed_in_ns=sign_in.recorded_ns)
            )

    def sign_in_of(self, hash_: str) -> tuple[SignIn, Account] | None:
        """Return a sign-in with its account."""
        with self._db.reading() as connection:
            row = connection.execute(
                sa.select(t.sign_in).where(t.sign_in.c.hash == hash_)
            ).one_or_none()
            if row is None:
                return None
            return unpack(SignIn, row), self._get(connection, t.account, Account, row.account)

    def sign_in_seen(self, hash_: str, seen_ns: int) -> None:
        """Note that a sign-in is used."""
        with self._db.writing() as connection:
            connection.execute(
                sa.update(t.sign_in).where(t.sign_in.c.hash == hash_).values(seen_ns=seen_ns)
            )

    def sign_in_end(self, hash_: str) -> None:
        """End one sign-in."""
        with self._db.writing() as connection:
            connection.execute(sa.delete(t.sign_in).where(t.sign_in.c.hash == hash_))

    def sign_ins_end(self, account_id: str) -> int:
        """End all sign-ins of an account; return how many."""
        with self._db.writing() as connection:
            return self._end_all(connection, account_id)

    @staticmethod
    def _end_all(connection: sa.Connection, account_id: str) -> int:
        return connection.execute(
            sa.delete(t.sign_in).where(t.sign_in.c.account == account_id)
        ).rowcount

    # -- tokens

    def tokens(
        self, *, after: Key | None = None, limit: int = 100, account: str | None = None
    ) -> tuple[list[Token], Key | None]:
        """List tokens, newest first; `account` None: everybody's."""
        rows = sa.select(t.token)
        if account is not None:
            rows = rows.where(t.token.c.account == account)
        return self._page(rows, Token, t.token.c.id, after, limit)

    def token(self, token_id: str) -> Token:
        """Return one token."""
        with self._db.reading() as connection:
            return self._get(connection, t.token, Token, token_id)

    def token_of(self, hash_: str) -> tuple[Token, Account] | None:
        """Return the token of a secret with its account."""
        with self._db.reading() as connection:
            row = connection.execute(
                sa.select(t.token).where(t.token.c.hash == hash_)
            ).one_or_none()
            if row is None:
                return None
            return unpack(Token, row), self._get(connection, t.account, Account, row.account)

    def token_add(self, token: Token, *, actor: str) -> Token:
        """Add a token; its id and time are given by the store."""
        added = replace(token, id=self._new_id(), recorded_ns=self._clock())
        with self._db.writing() as connection:
            connection.execute(sa.insert(t.token).values(pack(added)))
            detail = {"token": added.id, "name": added.name, "scope": added.scope}
            self._tell(connection, added.account, "token-added", actor, detail)
        return added

    def token_used(self, token_id: str, used_ns: int) -> None:
        """Note that a token is used."""
        with self._db.writing() as connection:
            connection.execute(
                sa.update(t.token).where(t.token.c.id == token_id).values(used_ns=used_ns)
            )

    def token_revoke(self, token_id: str, *, actor: str) -> Token:
        """End a token at once; again changes nothing."""
        with self._db.writing() as connection:
            old = self._get(connection, t.token, Token, token_id)
            if old.revoked_ns is not None:
                return old
            new = replace(old, revoked_ns=self._clock())
            change = sa.update(t.token).where(t.token.c.id == token_id)
            connection.execute(change.values(revoked_ns=new.revoked_ns))
            self._tell(connection, old.account, "token-revoked", actor, {"token": token_id})
        return new

    # -- one-time links

    def link_add(self, link: Link) -> None:
        """Keep a one-time link; older ones of the same account (or none) are void."""
        with self._db.writing() as connection:
            same = t.link.c.account.is_not_distinct_from(link.account)
            over = t.link.c.expires_ns < link.recorded_ns
            connection.execute(sa.delete(t.link).where(sa.or_(same, over)))
            connection.execute(sa.insert(t.link).values(pack(link)))

    def link_of(self, hash_: str) -> tuple[Link, Account | None] | None:
        """Return an unused link with its account."""
        with self._db.reading() as connection:
            row = connection.execute(sa.select(t.link).where(t.link.c.hash == hash_)).one_or_none()
            if row is None:
                return None
            link = unpack(Link, row)
            if link.account is None:
                return link, None
            return link, self._get(connection, t.account, Account, link.account)

    def link_use(self, hash_: str, password: str) -> Account:
        """Use up a link: its account has this password hash, and its other sign-ins end."""
        with self._db.writing() as connection:
            account = self._use(connection, hash_)
            if account is None:
                raise Refused("/code", "this link makes the administrator")
            old = self._get(connection, t.account, Account, account)
            return self._change(connection, old, replace(old, password=password), old.name)

    @staticmethod
    def _use(connection: sa.Connection, hash_: str) -> str | None:
        row = connection.execute(sa.select(t.link).where(t.link.c.hash == hash_)).one_or_none()
        if row is None:
            raise NotFound("this link was used already")
        connection.execute(sa.delete(t.link).where(t.link.c.hash == hash_))
        return unpack(Link, row).account

    def _tell(
        self,
        connection: sa.Connection,
        account_id: str,
        kind: str,
        actor: str,
        detail: Mapping[str, object],
    ) -> None:
        subject = ("account", account_id, None)
        self._log(connection, subject, kind, at_ns=self._clock(), actor=actor, detail=detail)
