"""Passwords: argon2id with the parameters of RFC 9106 (second choice: 64 MiB, 3 passes, 4 lanes).

A check for somebody who does not exist takes as long as any other, because it is one.
"""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from cloud.errors import Refused

SHORTEST: Final = 12  #: characters
LONGEST: Final = 256
_hasher: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
#: of a password that nobody has: it was random and is forgotten
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$Tr7YahOznVIM70CL+OkOUQ"
    "$zTV5kYwTEQctPUuGwXAieNnKZboB1HWgkNWaaGlkqJg"
)


def check_form(password: str, name: str, field: str = "/password") -> None:
    """Raise `Refused` for a password that is too short, too long, or easy to guess."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(field, f"from {SHORTEST} to {LONGEST} characters; a sentence is fine")
    low = password.casefold()
    if name.casefold() in low or len(set(low)) < 5:
        raise Refused(field, "it is easy to guess: leave out the name, use more different signs")


def make_hash(password: str) -> str:
    """Return the hash to keep."""
    return _hasher.hash(_plain(password))


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password; as slow without a kept hash (None) as with one."""
    try:
        _hasher.verify(kept or _NOBODY, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def _plain(password: str) -> str:
    """Return one form for what keyboards spell in two (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
