"""How readings lie in InfluxDB: measurements, tags, fields, and names that need no escaping.

One point a sample: measurement `reading`, tags `machine` and `stream`, one field a signal. The
field's name starts with the kind of its value, so that a signal that changes its kind does not
clash with itself or with another machine's. Series grow with machines × streams only; signals are
fields; boots and sequence numbers are in a field.

`f.temp` a double, `e.temp` a single, `i.temp` a whole number, `b.temp` a truth value, `s.temp` the
state (quality, +64: no value) where it is not 0. In historical samples the letter is a capital one,
so that the newest live value is found without them. `row` is `source << 40 | seq` (`hrow` in
historical samples); `at` is the sample's own time where an earlier sample held that nanosecond.
"""

from typing import Final
from urllib.parse import unquote

READING: Final = "reading"
MINUTE: Final = "minute"
HOUR: Final = "hour"
BOOT: Final = "boot"
SIGNAL: Final = "signal"
POSITION: Final = "position"
KEPT: Final = "kept"
ROW: Final = "row"
OLD_ROW: Final = "hrow"
OWN: Final = "at"
STATE: Final = "s"
SEQ_BITS: Final = 40


def paged(boot: str, page: int) -> str:
    """Return the name of a boot's numbers from `page << SEQ_BITS` on; most have only page 0."""
    return f"{boot}#{page}" if page else boot


def unpaged(name: str) -> tuple[str, int]:
    """Return boot and first number of a name of `paged`."""
    boot, _, page = name.partition("#")
    return boot, int(page or 0) << SEQ_BITS


LETTERS: Final = {"d": "f", "f": "e", "q": "i", "?": "b"}
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-+")
FARTHEST_NS: Final = 1_000_000  #: how far behind its own time a sample may be put
EDGE_NS: Final = 2**63 - 2 - FARTHEST_NS  #: InfluxDB's last moment, with room behind it


def safe(name: str) -> str:
    """Return a name without anything that line protocol or InfluxQL would read otherwise."""
    if name and _PLAIN.issuperset(name):
        return name
    out = "".join(
        c
        if c in _PLAIN or (ord(c) > 127 and c.isprintable() and not c.isspace())
        else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass"))
        for c in name
    )
    return out or "%"


def plain(name: str) -> str:
    """Return what `safe` was given."""
    return "" if name == "%" else unquote(name, errors="surrogatepass")


def field(code: str, signal: str, *, historical: bool) -> str:
    """Return the name of a signal's value field; `code` is a type of `cloud.telemetry.fresh`."""
    letter = LETTERS[code]
    return f"{letter.upper() if historical else letter}.{safe(signal)}"


def state_field(signal: str, *, historical: bool) -> str:
    """Return the name of a signal's state field."""
    return f"{STATE.upper() if historical else STATE}.{safe(signal)}"


def position_line(position: int) -> bytes:
    """Return the line that says up to which journal position the server has everything."""
    return f"{POSITION} n={position}i 0\n".encode()
