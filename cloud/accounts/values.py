"""Who may use the service, as frozen values.

A secret is shown once, where it is made; what is kept is its SHA-256 (secrets of 256 random bits
need no slow hash) or, for passwords that people choose, argon2id.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from cloud.errors import Refused

Language = Literal["en", "zh-CN"]
Units = Literal["metric", "imperial"]


class Role(StrEnum):
    """What somebody is to the service."""

    ADMINISTRATOR = "administrator"  #: everything, accounts and channels included
    PLANNER = "planner"  #: decides on advisories and tickets
    ENGINEER = "engineer"  #: sees all machines, works on tickets
    CUSTOMER = "customer"  #: sees the machines of the own sites and their tickets


class Scope(StrEnum):
    """How much a token may do of what its owner may."""

    READ = "read"
    WRITE = "write"  #: and change machines, advisories and tickets
    MANAGE = "manage"  #: and change accounts, tokens and channels


#: scope -> what it holds
SCOPES: Final = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.MANAGE: frozenset(Scope),
}


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Which machines somebody sees: those of a customer, at these sites (none named: at all)."""

    customer: str
    sites: tuple[str, ...] = ()


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request. `reach` None: all machines."""

    account: str | None  #: None on a trial installation, where nobody signs in
    name: str
    role: Role
    scope: Scope = Scope.MANAGE
    reach: Reach | None = None
    token: str | None = None  #: id of the token it came with
    sign_in: str | None = None  #: hash of the sign-in it came with
    language: Language | None = None

    def may(self, roles: frozenset[Role], scope: Scope) -> bool:
        """Whether the role is one of these and the scope is wide enough."""
        return self.role in roles and scope in SCOPES[self.scope]


#: names in which the service itself acts in the event log; nobody else has one
ITSELF: Final = frozenset({"policy", "triage"})


def check_name(field: str, name: str) -> None:
    """Raise `Refused` for a name in which the service acts; `field` points at it."""
    if name.casefold() in ITSELF:
        raise Refused(field, f"'{name}' is what the service itself is called in histories")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person with a way to sign in. `password` is an argon2id hash; None: not chosen yet."""

    id: str
    recorded_ns: int
    version: int
    name: str
    role: Role
    full_name: str | None = None
    customer: str | None = None
    sites: tuple[str, ...] = ()
    password: str | None = None
    active: bool = True
    language: Language | None = None
    zone: str | None = None
    units: Units | None = None
    signed_in_ns: int | None = None

    @property
    def has_password(self) -> bool:
        """Whether this person has chosen one."""
        return self.password is not None

    @property
    def reach(self) -> Reach | None:
        """Which machines this person sees; None: all."""
        if self.role is not Role.CUSTOMER:
            return None
        return Reach(customer=self.customer or "", sites=self.sites)


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in. `hash` is the SHA-256 of what its cookie holds."""

    hash: str
    account: str
    recorded_ns: int
    seen_ns: int
    expires_ns: int


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A program that acts for an account. `hash` is the SHA-256 of its secret."""

    id: str
    account: str
    recorded_ns: int
    name: str
    scope: Scope
    hash: str
    expires_ns: int
    used_ns: int | None = None
    revoked_ns: int | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link: to make the administrator (no account), or to choose a password."""

    hash: str
    account: str | None
    recorded_ns: int
    expires_ns: int


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a machine stands and whose it is. Unsaid: the tenant of its id, no site."""

    machine: str
    customer: str
    site: str | None
    version: int
    recorded_ns: int
