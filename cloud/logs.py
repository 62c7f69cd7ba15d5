"""What the service writes down: lines for people or JSON for programs, with traces, no secrets.

One request and one group of messages have a trace id each; every line written on their way carries
it. Secrets are masked where the line is made, in messages and in tracebacks alike: those that the
settings name, and whatever looks like one.
"""

import contextlib
import logging
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Final, Literal, TextIO

import msgspec

from cloud.times import rfc3339

MASK: Final = "***"
SHORTEST: Final = 4  #: characters of a known secret; a shorter one would mask ordinary words
#: from which level on libraries have a say; of a connection that is gone who asked tells
NOISY: Final = dict.fromkeys(("alembic", "asyncio", "httpx", "urllib3"), logging.WARNING) | {
    "sqlalchemy.pool": logging.CRITICAL
}
_TRACE: Final[ContextVar[str | None]] = ContextVar("trace", default=None)
_PATTERNS: Final = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
    (re.compile(r"\bfw_[A-Za-z0-9_\-]{4,}"), f"fw_{MASK}"),
    (re.compile(r"(/(?:setup|password|acknowledge)/)[A-Za-z0-9_\-.]+"), rf"\1{MASK}"),
    (
        re.compile(
            r"(?i)\b((?:[a-z]+[_-])?(?:password|passwd|secret|token|cookie|authorization|api[_-]?key)"
            r"[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"',;&)\]}]+"
        ),
        rf"\1{MASK}",
    ),
)


@contextlib.contextmanager
def traced(trace: str | None = None) -> Iterator[str]:
    """Give every line written within a trace id: the one that came along, or a new one."""
    name = trace or secrets.token_hex(8)
    token = _TRACE.set(name)
    try:
        yield name
    finally:
        _TRACE.reset(token)


def trace_of(traceparent: str | None) -> str | None:
    """Return the trace id of a W3C `traceparent` header; None when it is not one."""
    found = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", traceparent or "")
    return found.group(1) if found and set(found.group(1)) != {"0"} else None


def redactor(known: Iterable[str | None] = ()) -> Callable[[str], str]:
    """Return what masks secrets in a text: the known ones, and whatever looks like one."""
    words = sorted(
        {word for word in known if word and len(word) >= SHORTEST}, key=len, reverse=True
    )
    literal = re.compile("|".join(map(re.escape, words))) if words else None

    def redact(text: str) -> str:
        if literal is not None:
            text = literal.sub(MASK, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    return redact


class TextLines(logging.Formatter):
    """`time LEVEL logger: message [trace]`, time in UTC."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback where there is one."""
        trace = _TRACE.get()
        head = f"{_time(record)} {record.levelname} {record.name}: "
        text = head + record.getMessage() + (f" [{trace}]" if trace else "")
        said = _traceback(self, record)
        return self._redact(f"{text}\n{said}" if said else text)


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    time: str
    level: str
    logger: str
    message: str
    thread: str | None = None
    trace: str | None = None
    error: str | None = None
    traceback: str | None = None


class JsonLines(logging.Formatter):
    """One JSON object a line; its time is RFC 3339, UTC."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the object on one line."""
        said = _traceback(self, record)
        kind = record.exc_info[0] if record.exc_info else None
        line = _Line(
            time=_time(record),
            level=record.levelname.lower(),
            logger=record.name,
            message=self._redact(record.getMessage()),
            thread=record.threadName,
            trace=_TRACE.get(),
            error=kind.__name__ if kind else None,
            traceback=self._redact(said) if said else None,
        )
        return msgspec.json.encode(line).decode()


def _time(record: logging.LogRecord) -> str:
    return rfc3339(int(record.created * 1000) * 1_000_000)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    return formatter.formatException(record.exc_info) if record.exc_info else None


def configure(
    *,
    form: Literal["text", "json"],
    level: str,
    known: Iterable[str | None] = (),
    stream: TextIO | None = None,
) -> None:
    """Send everything that is logged to a stream (standard error), one line each."""
    redact = redactor(known)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(redact) if form == "json" else TextLines(redact))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(least)
