"""Questions in InfluxQL, with every name and text quoted in one place."""

from cloud.telemetry.influx.names import EDGE_NS, safe
from cloud.telemetry.query import Span

FLOOR_NS = -(2**63) + 2


def text(value: str) -> str:
    """Return a string as InfluxQL writes it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def quoted(*names: str) -> str:
    """Return identifiers as InfluxQL writes them."""
    escaped = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return ",".join(f'"{name}"' for name in escaped)


def source(bucket: str, measurement: str) -> str:
    """Return a measurement of a bucket."""
    return f'{quoted(bucket)}."autogen".{quoted(measurement)}'


def tagged(tag: str, value: str) -> str:
    """Return the condition that a tag has the value that `safe` makes of a name."""
    return f"{tag} = {text(safe(value))}"


def since(start_ns: int) -> str:
    """Return the condition time >= start."""
    return f"time >= {max(FLOOR_NS, min(start_ns, EDGE_NS))}"


def within(span: Span) -> str:
    """Return the condition start <= time < end."""
    return f"{since(span.start_ns)} AND time < {max(FLOOR_NS, min(span.end_ns, EDGE_NS))}"


def select(
    fields: str, place: str, *conditions: str, by: str | None = None, limit: int | None = None
) -> str:
    """Return a statement; `fields`, `place` and `conditions` are made by the functions here."""
    words = ["SELECT", fields, "FROM", place]
    if conditions:
        words += ["WHERE", " AND ".join(conditions)]
    if by:
        words += ["GROUP BY", by]
    if limit:
        words += ["LIMIT", str(limit)]
    return " ".join(words)
