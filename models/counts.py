"""Numbers with their words in English sentences: `1 minute`, `1,200 samples`."""


def counted(count: float, one: str, more: str | None = None) -> str:
    """Return a number and its word, which is `one` for 1, else `more` (`one` with an s)."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
