"""The desk at which everybody shows who they are: sign-ins, tokens, one-time links.

Methods that only look may run on any thread; those that say `Writes` belong on the ledger's writer
thread. Passwords are hashed on the caller's thread, two at a time (64 MiB each).
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from cloud.accounts import passwords
from cloud.accounts.backoff import SECOND, BackOff
from cloud.accounts.errors import Crowded, SignInNeeded, Wait
from cloud.accounts.secrets import hashed, is_secret, is_token, new_secret, new_token
from cloud.accounts.store import AccountStore, Key
from cloud.accounts.values import (
    Account,
    Link,
    Principal,
    Role,
    Scope,
    SignIn,
    Token,
    check_name,
)
from cloud.errors import Conflict, NotFound, Refused, StoreError

MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND
IDLE_NS: Final = 12 * 3_600 * SECOND  #: a sign-in that is not used for so long ends
LONGEST_NS: Final = 14 * DAY  #: and so does every sign-in
LINK_NS: Final = DAY  #: how long a one-time link works
TOKEN_DAYS: Final = 365  #: the longest life of a token
TOKENS: Final = 100  #: of one person that work at the same time
HASHED_AT_ONCE: Final = 2
HASH_WAIT_S: Final = 10.0
TRIAL: Final = Principal(account=None, name="local", role=Role.ADMINISTRATOR)
log = logging.getLogger(__name__)


class Desk:
    """Knows who asks. `demo`: nobody signs in, whatever accounts there are."""

    def __init__(self, store: AccountStore, now: Callable[[], int], *, demo: bool = False) -> None:
        self._store = store
        self._now = now
        self._demo = demo
        self._back_off = BackOff()
        self._lock = threading.Lock()
        self._hashing = threading.BoundedSemaphore(HASHED_AT_ONCE)

    @property
    def trial(self) -> bool:
        """Whether everybody on this computer may do everything: there is no account yet."""
        return self._demo or not self._store.accounts_exist()

    # -- who asks

    def principal(self, cookie: str | None, bearer: str | None) -> Principal:
        """Return who asks, by a token if there is one, else by the cookie.

        Raises:
            SignInNeeded: nobody known.
        """
        if bearer is None and self.trial:
            return TRIAL
        found = self._by_token(bearer) if bearer is not None else self._by_cookie(cookie)
        if found is None:
            raise SignInNeeded
        return found

    def _by_token(self, bearer: str) -> Principal | None:
        found = self._store.token_of(hashed(bearer)) if is_token(bearer) else None
        if found is None:
            return None
        token, account = found
        now = self._now()
        if token.revoked_ns is not None or token.expires_ns <= now or not account.active:
            return None
        if now - (token.used_ns or 0) > MINUTE:
            self._noted(lambda: self._store.token_used(token.id, now))
        return _principal(account, scope=token.scope, token=token.id)

    def _by_cookie(self, cookie: str | None) -> Principal | None:
        found = self._store.sign_in_of(hashed(cookie)) if cookie and is_secret(cookie) else None
        if found is None:
            return None
        sign_in, account = found
        now = self._now()
        if sign_in.expires_ns <= now or sign_in.seen_ns + IDLE_NS <= now or not account.active:
            return None
        if now - sign_in.seen_ns > MINUTE:
            self._noted(lambda: self._store.sign_in_seen(sign_in.hash, now))
        return _principal(account, sign_in=sign_in.hash)

    @staticmethod
    def _noted(note: Callable[[], None]) -> None:
        """Write down that something is used; a ledger that is busy hears of it next time."""
        try:
            note()
        except StoreError as error:
            log.info("use of a sign-in or token not noted: %s", error)

    # -- signing in and out

    def check(self, name: str, password: str, address: str) -> Account:
        """Return whose password it is.

        Raises:
            Wait: too many failures of this name or address; nothing was checked.
            SignInNeeded: wrong name or password; which of them is not said.
            Crowded: too many others are signing in.
        """
        now = self._now()
        with self._lock:
            wait = self._back_off.wait_ns(name, address, now)
        if wait > 0:
            raise Wait(-(-wait // SECOND))
        account = self._store.account_named(name)
        usable = account if account is not None and account.active else None
        with self._slot():
            right = passwords.matches(password, usable.password if usable else None)
        with self._lock:
            if right:
                self._back_off.succeeded(name)
            else:
                self._back_off.failed(name, address, now)
        if not right or usable is None:
            log.warning("wrong name or password from %s", address)
            raise SignInNeeded("name or password is wrong")
        return usable

    def make_hash(self, password: str) -> str:
        """Return what is kept of a new password."""
        with self._slot():
            return passwords.make_hash(password)

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._hashing.acquire(timeout=HASH_WAIT_S):
            raise Crowded("too many people are signing in: try again")
        try:
            yield
        finally:
            self._hashing.release()

    def open(self, account: Account) -> str:
        """Begin a sign-in and return what its cookie holds. Writes."""
        secret, now = new_secret(), self._now()
        self._store.sign_in_add(
            SignIn(
                hash=hashed(secret),
                account=account.id,
                recorded_ns=now,
                seen_ns=now,
                expires_ns=now + LONGEST_NS,
            )
        )
        return secret

    def close(self, sign_in: str) -> None:
        """End a sign-in. Writes."""
        self._store.sign_in_end(sign_in)

    def close_all(self, account: str) -> None:
        """End every sign-in of an account. Writes."""
        self._store.sign_ins_end(account)

    # -- accounts

    def account(self, account: str) -> Account:
        """Return an account."""
        return self._store.account(account)

    def named(self, name: str) -> Account | None:
        """Return the account of a name."""
        return self._store.account_named(name)

    def accounts(
        self, *, after: Key | None = None, limit: int = 100
    ) -> tuple[list[Account], Key | None]:
        """List accounts, newest first."""
        return self._store.accounts(after=after, limit=limit)

    def invite(self, account: Account, *, actor: str) -> tuple[Account, str]:
        """Add an account; return it with the secret of the link to its password. Writes.

        Raises:
            Conflict: the name is taken, or there is no administrator yet.
        """
        if not self._store.accounts_exist():
            raise Conflict(
                "make the administrator first: open the link that the service printed at its start"
            )
        link, secret = self.new_link()
        return self._store.account_add(account, link, actor=actor), secret

    def change(self, account: Account, version: int, *, actor: str) -> Account:
        """Write an account's next version. Writes."""
        return self._store.account_change(account, version, actor=actor)

    # -- links

    def setup_link(self) -> str:
        """Return the secret of a new link that makes the administrator. Writes."""
        return self._link(None)

    def password_link(self, account: Account) -> str:
        """Return the secret of a new link with which a person chooses a password. Writes."""
        return self._link(account.id)

    def _link(self, account: str | None) -> str:
        link, secret = self.new_link(account)
        self._store.link_add(link)
        return secret

    def new_link(self, account: str | None = None) -> tuple[Link, str]:
        """Return a link, and its secret."""
        secret, now = new_secret(), self._now()
        return Link(
            hash=hashed(secret), account=account, recorded_ns=now, expires_ns=now + LINK_NS
        ), secret

    def link(self, secret: str) -> Account | None:
        """Return whose password a link sets; None: it makes the administrator.

        Raises:
            NotFound: it is unknown, used or too old.
        """
        found = self._store.link_of(hashed(secret)) if is_secret(secret) else None
        if found is None or found[0].expires_ns <= self._now():
            raise NotFound("this link is unknown, used or older than a day: ask for a new one")
        account = found[1]
        if account is None and self._store.accounts_exist():
            raise NotFound("there is an administrator already: sign in, or ask that person")
        return account

    def use_link(self, secret: str, name: str, kept: str) -> Account:
        """Set the password (`kept` is its hash), making the administrator if so. Writes."""
        account = self.link(secret)
        if account is not None:
            return self._store.link_use(hashed(secret), kept)
        first = blank(name, Role.ADMINISTRATOR, password=kept)
        return self._store.account_first(first, hashed(secret))

    # -- tokens

    def token(self, token: str) -> Token:
        """Return a token."""
        return self._store.token(token)

    def tokens(
        self, *, after: Key | None = None, limit: int = 100, account: str | None = None
    ) -> tuple[list[Token], Key | None]:
        """List tokens, newest first; `account` None: everybody's."""
        return self._store.tokens(after=after, limit=limit, account=account)

    def revoke(self, token: str, *, actor: str) -> Token:
        """End a token at once. Writes."""
        return self._store.token_revoke(token, actor=actor)

    def make_token(
        self, account: str, name: str, scope: Scope, days: int, *, actor: str
    ) -> tuple[Token, str]:
        """Return a new token and its secret, which is not kept. Writes."""
        if not 1 <= days <= TOKEN_DAYS:
            raise Refused("/days", f"from 1 to {TOKEN_DAYS} days")
        secret, now = new_token(), self._now()
        known, _ = self._store.tokens(account=account, limit=1_000)
        live = [one for one in known if one.revoked_ns is None and one.expires_ns > now]
        if len(live) >= TOKENS:
            raise Conflict(f"at most {TOKENS} tokens work for one person: revoke some first")
        token = Token(
            id="",
            account=account,
            recorded_ns=now,
            name=name,
            scope=scope,
            hash=hashed(secret),
            expires_ns=now + days * DAY,
        )
        return self._store.token_add(token, actor=actor), secret


def blank(name: str, role: Role, **more: object) -> Account:
    """Return an account that is not stored yet.

    Raises:
        Refused: the service itself acts in that name.
    """
    check_name("body/name", name)
    values = {"id": "", "recorded_ns": 0, "version": 1, "name": name, "role": role, **more}
    return msgspec.convert(values, Account)


def _principal(
    account: Account,
    *,
    scope: Scope = Scope.MANAGE,
    token: str | None = None,
    sign_in: str | None = None,
) -> Principal:
    return Principal(
        account=account.id,
        name=account.name,
        role=account.role,
        scope=scope,
        reach=account.reach,
        token=token,
        sign_in=sign_in,
        language=account.language,
    )
