"""Query parameters that an address does not have are refused instead of passed over.

A filter with a slip of the pen would otherwise answer with everything, and of a filter that is
given twice and is no list, one would be lost.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from cloud.api.access import PROBE, rule_of

SHOWN: Final = 60  #: characters of a wrong name that are repeated


class Known:
    """The query parameters that an application's addresses have, looked for once for each."""

    def __init__(self) -> None:
        self._lists: dict[str, Mapping[str, bool]] = {}  #: by the name of a route

    async def __call__(self, request: Request) -> None:
        """Refuse what the description does not name, and what is repeated but is no list.

        Addresses outside of the description and probes take anything: a balancer may add to them.

        Raises:
            RequestValidationError: with one error for each name; with the nearest that there is.
        """
        route, given = request.scope["route"], request.query_params
        if not given or not isinstance(route, APIRoute) or not route.include_in_schema:
            return
        if rule_of(route.name) is PROBE:
            return
        there = self._lists.get(route.name)
        if there is None:
            there = self._lists[route.name] = _lists(route.dependant)
        wrong = {name: _advice(name, frozenset(there)) for name in given if name not in there}
        for name, is_list in there.items():
            if not is_list and len(given.getlist(name)) > 1:
                wrong[name] = "this takes one value, and is given more than once"
        if wrong:
            raise RequestValidationError(
                [{"loc": ("query", name[:SHOWN]), "msg": said} for name, said in wrong.items()]
            )


def _lists(dependant: Dependant) -> Mapping[str, bool]:
    """Return the query parameters of a route and of all that it depends on: is it a list?"""
    found = {p.alias: _is_list(p.field_info.annotation) for p in dependant.query_params}
    for one in dependant.dependencies:
        found |= _lists(one)
    return found


def _is_list(annotation: Any) -> bool:
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


def _advice(name: str, there: frozenset[str]) -> str:
    if not there:
        return "there is no such parameter; this address takes none"
    near = get_close_matches(name, there, 1)
    if near:
        return f"there is no such parameter; did you mean '{near[0]}'?"
    return f"there is no such parameter; there are {', '.join(sorted(there))}"
