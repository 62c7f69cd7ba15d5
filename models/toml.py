"""Settings from TOML text, checked against a struct. Pure; errors name line and key."""

import copy
import re
import tomllib
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
_TABLE = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.\"-]+)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\"-]+)\s*=")
_WHERE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_TOLD = re.compile(r"([a-z_]+(?:\.[^.: ]+)+): (.*)", re.DOTALL)  #: a check of ours
_ANY: Final = "[...]"


class TomlError(ValueError):
    """The text is not what the program expects. `line` counts from 1 (0: unknown)."""

    def __init__(self, origin: str, line: int, key: str, detail: str) -> None:
        place = f"{origin}:{line}" if line else origin
        super().__init__(f"{place}: {key}: {detail}" if key else f"{place}: {detail}")
        self.line = line
        self.key = key
        self.detail = detail


def parse(text: str, kind: type[T], origin: str) -> T:
    """Return the settings in `text`; `TomlError` names `origin`, line and key."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise TomlError(origin, int(found[1]) if found else 0, "", str(error)) from error
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        path, detail, unknown = place_of(error)
        path = _keyed(path, values, kind, str(error))
        if unknown:
            from models.nearest import advice  # noqa: PLC0415  only here: the agent is small

            detail = advice(path, kind)
        elif not path and (told := _TOLD.match(detail)):
            path, detail = told.groups()
        raise TomlError(origin, line_of(text, path), path, detail) from error


def _keyed(path: str, values: dict[str, Any], kind: type[T], message: str) -> str:
    """Return the path with the keys of tables that are named freely: msgspec says `[...]`."""
    while _ANY in path:
        before, after = path.split(_ANY, 1)
        for key in _at(values, before):
            alone = copy.deepcopy(values)
            table = _at(alone, before)
            for other in table.keys() - {key}:
                del table[other]
            try:
                msgspec.convert(alone, kind)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    values, path = alone, f"{before}.{key}{after}"
                    break
        else:
            return path
    return path


def _at(values: Any, path: str) -> dict[str, Any]:
    """Return the table at a path like `sources[1].options`."""
    for name, place in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        values = values[name] if name else values[int(place)]
    found: dict[str, Any] = values
    return found


def place_of(error: msgspec.ValidationError) -> tuple[str, str, bool]:
    """Return where a value is wrong (`broker.port`), why, and whether the key is unknown."""
    message = str(error)
    where = _WHERE.search(message)
    path = where[1].lstrip(".") if where else ""
    detail = _WHERE.sub("", message)
    unknown = _UNKNOWN.search(detail)
    if unknown:
        path = f"{path}.{unknown[1]}" if path else unknown[1]
    return path, detail, unknown is not None


def line_of(text: str, path: str) -> int:
    """Return the line where a key like `broker.port` or `notify.channels[1].name` stands.

    Where the key itself is not in the text (it is missing), the line of its table; else 0.
    """
    wanted = re.sub(r"\[\d+\]", "", path)
    places = {  # table of an array -> which of its tables
        re.sub(r"\[\d+\]", "", path[: found.start()]): int(found[1])
        for found in re.finditer(r"\[(\d+)\]", path)
    }
    table, seen, best = "", {}, 0  # type: str, dict[str, int], int
    for number, line in enumerate(text.splitlines(), 1):
        header = _TABLE.match(line)
        if header:
            table = header[1].replace('"', "")
            if line.lstrip().startswith("[["):
                seen = {t: n for t, n in seen.items() if not t.startswith(f"{table}.")}
                seen[table] = seen.get(table, -1) + 1
        current = all(
            seen.get(array, at) == at
            for array, at in places.items()
            if f"{table}.".startswith(f"{array}.")
        )
        if header and current and (wanted == table or wanted.startswith(table + ".")):
            best = number
        key = _KEY.match(line)
        if key and current:
            name = f"{table}.{key[1]}".strip(".").replace('"', "")
            if name == wanted or wanted.startswith(name + "."):
                return number
    return best
