"""Request bodies: read from JSON into frozen structs, wrong ones refused with a JSON pointer."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
import msgspec.inspect
from fastapi import Request

from cloud.api.problems import HttpProblem
from cloud.errors import Refused

T = TypeVar("T", bound="Body")
_PLACE: Final = re.compile(r" - at `\$(.*)`$")
_NAMED: Final = re.compile(r"(?:required|unknown) field `(.+?)`")


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


def body(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return a FastAPI dependency that reads the body as `kind`."""

    async def read(request: Request) -> T:
        content = await request.body()
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.ValidationError as error:
            raise _refusal(kind, str(error)) from error
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise HttpProblem(400, f"the body is not JSON in UTF-8: {error}") from error

    return read


def takes(kind: type[Body]) -> dict[str, Any]:
    """Return the OpenAPI part that names the body; use as `openapi_extra`."""
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _refusal(kind: type[Body], text: str) -> Refused:
    """Turn msgspec's `… - at `$.a[1]`` into a JSON pointer `/a/1`."""
    place = _PLACE.search(text)
    pointer = re.sub(r"[.\[]", "/", place.group(1)).replace("]", "") if place else ""
    detail = _PLACE.sub("", text)
    named = _NAMED.search(detail)
    if named:
        pointer += f"/{named.group(1)}"
    allowed = _allowed(kind, pointer[1:])
    return Refused(f"body{pointer}", f"{detail}: write one of {allowed}" if allowed else detail)


def _allowed(kind: type[Body], name: str) -> str:
    """Return the words that a field takes, where it takes only some."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name == name:
            found = msgspec.inspect.type_info(field.type)
            if isinstance(found, msgspec.inspect.EnumType):
                return ", ".join(str(one.value) for one in found.cls)
            if isinstance(found, msgspec.inspect.LiteralType):
                return ", ".join(str(one) for one in found.values)
    return ""
