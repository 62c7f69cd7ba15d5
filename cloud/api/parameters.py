"""Query parameters that an address does not have are refused instead of passed over.

A filter with a slip of the pen would otherwise answer with everything.
"""

from difflib import get_close_matches
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

SHOWN: Final = 60  #: characters of a wrong name that are repeated


async def known(request: Request) -> None:
    """Refuse what the description does not name; addresses outside of it take anything.

    Raises:
        RequestValidationError: with one error for each name, and the nearest that there is.
    """
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    there = _names(route.dependant)
    wrong = [name for name in dict.fromkeys(request.query_params) if name not in there]
    if wrong:
        raise RequestValidationError(
            [{"loc": ("query", name[:SHOWN]), "msg": _advice(name, there)} for name in wrong]
        )


def _names(dependant: Dependant) -> frozenset[str]:
    """Return the query parameters of a route and of all that it depends on."""
    own = frozenset(param.alias for param in dependant.query_params)
    return own.union(*(_names(one) for one in dependant.dependencies))


def _advice(name: str, there: frozenset[str]) -> str:
    if not there:
        return "there is no such parameter; this address takes none"
    near = get_close_matches(name, there, 1)
    if near:
        return f"there is no such parameter; did you mean '{near[0]}'?"
    return f"there is no such parameter; there are {', '.join(sorted(there))}"
