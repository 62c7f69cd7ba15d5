"""Opaque signed cursors of keyset paging.

A cursor holds the key of the last row of a page. It is signed together with the list and the
filters it belongs to, so that it can neither be made up nor carried to another list.
"""

from collections.abc import Mapping

from itsdangerous import BadData, URLSafeSerializer

from cloud.errors import Refused

Key = tuple[int | float | str | None, ...]


class Cursors:
    """Makes and reads cursors with the installation's key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def _signer(self, place: str, filters: Mapping[str, object]) -> URLSafeSerializer:
        chosen = sorted((name, str(value)) for name, value in filters.items() if value is not None)
        return URLSafeSerializer(self._secret, salt=f"{place}?{chosen}")

    def make(self, place: str, filters: Mapping[str, object], key: Key) -> str:
        """Return the cursor after `key` in the list `place` with `filters`."""
        text = self._signer(place, filters).dumps(list(key))
        return text if isinstance(text, str) else text.decode("ascii")

    def read(self, place: str, filters: Mapping[str, object], cursor: str | None) -> Key | None:
        """Return the key inside a cursor; None without one.

        Raises:
            Refused: it is not a cursor of this list with these filters.
        """
        if cursor is None:
            return None
        try:
            return tuple(self._signer(place, filters).loads(cursor))
        except (BadData, UnicodeError) as error:
            raise Refused(
                "query/after",
                "this is not a cursor of this list with these filters; "
                "follow the 'next' link of a page instead of making one",
            ) from error
