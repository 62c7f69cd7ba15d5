"""Where a ledger is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An SQLAlchemy URL without a password, the password, and what verifies a server elsewhere."""

    url: str
    password: str | None = None
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"Place({self.url!r})"
