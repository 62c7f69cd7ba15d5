"""What a setting that does not exist was probably meant to be."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from msgspec import inspect


def advice(path: str, kind: type) -> str:
    """Say that there is no such setting, and the nearest one, else all that its table has."""
    *tables, name = re.sub(r"\[[^]]*\]", "", path).split(".")
    there = _there(inspect.type_info(kind), tables)
    near = get_close_matches(name, there, 1)
    if near:
        return f"there is no such setting; did you mean '{near[0]}'?"
    return f"there is no such setting; there are {', '.join(there)}"


def _there(kind: inspect.Type, tables: Sequence[str]) -> list[str]:
    """Return the names in a table within a kind of settings."""
    if isinstance(kind, inspect.UnionType):
        return next(filter(None, (_there(one, tables) for one in kind.types)), [])
    if isinstance(kind, inspect.CollectionType):
        return _there(kind.item_type, tables)
    if isinstance(kind, inspect.DictType):
        return _there(kind.value_type, tables[1:])
    if not isinstance(kind, inspect.StructType):
        return []
    if not tables:
        return sorted(one.encode_name for one in kind.fields)
    inner = (one.type for one in kind.fields if one.encode_name == tables[0])
    return next((_there(one, tables[1:]) for one in inner), [])
