"""Secrets of sign-ins, tokens and links: 256 random bits, kept as SHA-256 only."""

import hashlib
import re
import secrets
from typing import Final

TOKEN: Final = "fw_"  # noqa: S105 - what tokens begin with, so that scanners find leaked ones
_TOKEN: Final = re.compile(r"fw_[A-Za-z0-9_-]{43}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """Return a new secret: 43 characters that are safe in an address."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Return a new API token, `fw_` and 43 characters."""
    return TOKEN + new_secret()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def hashed(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
