"""From the service's values to JSON and its schema: one definition, one rule for times.

A field `*_ns` holding one time leaves as `*`, RFC 3339 in UTC. Columns of times (`times_ns` and the
like, lists) stay whole ns since 1970 UTC, because they are read by programs in bulk. Other units
stand in the names (`p10_s`: seconds) or beside the value (`unit`, a UCUM code).
"""

import inspect
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from fastapi.responses import Response

from cloud.times import rfc3339

REF: Final = "#/components/schemas/{name}"
Schema = dict[str, Any]


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value))


def _name(key: str, value: object) -> str:
    """Return the outward name: a single time loses its `_ns`, a column keeps it."""
    return key[:-3] if key.endswith("_ns") and not isinstance(value, list | tuple) else key


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            _name(key, item): rfc3339(item)
            if key.endswith("_ns") and isinstance(item, int)
            else _shown(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value


def encode(value: object) -> bytes:
    """Return any value of the service as JSON; NaN and infinities become null."""
    return msgspec.json.encode(_shown(msgspec.to_builtins(value, enc_hook=_plain)))


class Json(Response):
    """An answer made of one value; `content` may be any struct, dataclass or builtin."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode by the rules of this module."""
        return encode(content)


def schemas(types: Sequence[type], *, answers: bool) -> dict[str, Schema]:
    """Return JSON schemas (2020-12) of these types by name, as answers or as request bodies."""
    _, components = msgspec.json.schema_components(types, schema_hook=_any, ref_template=REF)
    return {
        name: _described(_answered(schema) if answers else schema)
        for name, schema in components.items()
    }


def _any(kind: type) -> Schema:
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError(kind)


def _described(schema: Schema) -> Schema:
    if "description" in schema:
        return schema | {"description": inspect.cleandoc(schema["description"])}
    return schema


def _answered(schema: Schema) -> Schema:
    """Rename single times, and say that an answer always has all its fields."""
    properties = {}
    for key, shape in schema.get("properties", {}).items():
        single = key.endswith("_ns") and shape.get("type") != "array"
        properties[key[:-3] if single else key] = _time(shape) if single else shape
    if not properties:
        return schema
    return schema | {"properties": properties, "required": list(properties)}


def _time(shape: Schema) -> Schema:
    moment: Schema = {"type": "string", "format": "date-time"}
    return {"anyOf": [moment, {"type": "null"}]} if "anyOf" in shape else moment
