"""The link in an alert with which its reader takes the ticket on without signing in.

It is signed, names one ticket and one channel, and works for a week. Looking at it changes nothing
(mail scanners look); the button on its page acknowledges, once, because only a new ticket can be.
"""

from typing import Final

import msgspec
from itsdangerous import BadData, URLSafeTimedSerializer

from cloud.errors import NotFound

VALID_S: Final = 7 * 86_400
_SALT: Final = "acknowledge a ticket"


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for: a ticket, and the channel over which it went."""

    ticket: str
    channel: str


def make_code(secret: bytes, errand: Errand) -> str:
    """Return the last part of the link's address."""
    made = URLSafeTimedSerializer(secret, salt=_SALT).dumps([errand.ticket, errand.channel])
    return made if isinstance(made, str) else made.decode("ascii")


def address(secret: bytes, public_url: str, channel: str, ticket: str) -> str:
    """Return the whole link."""
    code = make_code(secret, Errand(ticket=ticket, channel=channel))
    return f"{public_url.rstrip('/')}/acknowledge/{code}"


def read_code(secret: bytes, code: str) -> Errand:
    """Return what a link is for.

    Raises:
        NotFound: it is forged or too old.
    """
    try:
        found = URLSafeTimedSerializer(secret, salt=_SALT).loads(code, max_age=VALID_S)
        ticket, channel = msgspec.convert(found, tuple[str, str])
    except (BadData, UnicodeError, msgspec.ValidationError) as error:
        raise NotFound("this link is unknown or older than a week") from error
    return Errand(ticket=ticket, channel=channel)
