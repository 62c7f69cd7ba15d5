"""The agent's newest log lines, kept so that an engineer far away can read them."""

import logging
from collections import deque
from typing import Final

import msgspec

LINES: Final = 2000
LENGTH: Final = 1000  #: characters of a line that are kept


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `at_ns` is ns since 1970 UTC."""

    at_ns: int
    level: str
    name: str
    text: str


class LogLines(logging.Handler):
    """Remembers the newest lines. They hold no secrets: none are ever logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[Line] = deque(maxlen=LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        at_ns = int(record.created * 1e9)
        line = Line(at_ns=at_ns, level=record.levelname, name=record.name, text=text[:LENGTH])
        self._lines.append(line)

    def find(self, *, since_ns: int, level: str, text: str, limit: int) -> list[Line]:
        """Return the newest lines that fit, oldest first. Case does not matter in `text`."""
        floor = logging.getLevelNamesMapping()[level]
        words = text.casefold()
        names = logging.getLevelNamesMapping()
        fitting = [
            line
            for line in tuple(self._lines)
            if line.at_ns >= since_ns
            and names.get(line.level, 0) >= floor
            and words in line.text.casefold()
        ]
        return fitting[-limit:]
