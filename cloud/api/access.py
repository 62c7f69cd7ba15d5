"""Who may call what: the one place where it is said. The description shows it as `x-roles`.

A route that is not named here is for administrators alone. What somebody may call still shows only
the machines within reach: another customer's are not there (404).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloud.accounts.values import Reach, Role, Scope

NOBODY: Final = Reach(customer="")  #: sees no machine


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which roles may call a route, and how wide a token's scope must be. No roles: everybody."""

    roles: frozenset[Role] | None
    scope: Scope = Scope.READ
    blind: bool = False  #: it does not even look who asks


_ALL: Final = frozenset(Role)
_STAFF: Final = _ALL - {Role.CUSTOMER}
_PLANNERS: Final = frozenset({Role.ADMINISTRATOR, Role.PLANNER})
_ENGINEERS: Final = frozenset({Role.ADMINISTRATOR, Role.ENGINEER})
_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})

PROBE: Final = Rule(roles=None, blind=True)
OPEN: Final = Rule(roles=None)
SEES: Final = Rule(roles=_ALL)
SAYS: Final = Rule(roles=_ALL, scope=Scope.WRITE)
OWNS: Final = Rule(roles=_ALL, scope=Scope.MANAGE)
LOOKS: Final = Rule(roles=_STAFF)
WORKS: Final = Rule(roles=_STAFF, scope=Scope.WRITE)
ASKS: Final = Rule(roles=_ENGINEERS, scope=Scope.WRITE)
DECIDES: Final = Rule(roles=_PLANNERS, scope=Scope.WRITE)
MANAGES: Final = Rule(roles=_ADMINISTRATORS, scope=Scope.MANAGE)

#: name of the route's function (the operation's id) -> rule
RULES: Final[Mapping[str, Rule]] = {
    "live": PROBE,
    "ready": PROBE,
    "page": PROBE,
    "asset": PROBE,
    "sign_in_page": OPEN,
    "sign_in_form": OPEN,
    "sign_out_page": OPEN,
    "sign_out_form": OPEN,
    "setup_page": OPEN,
    "setup_form": OPEN,
    "password_page": OPEN,
    "password_form": OPEN,
    "acknowledge_page": OPEN,
    "acknowledge_form": OPEN,
    "session": OPEN,
    "sign_in": OPEN,
    "sign_out": OPEN,
    # of oneself
    "me": SEES,
    "change_me": OWNS,
    "change_password": OWNS,
    "sign_out_everywhere": OWNS,
    "list_tokens": OWNS,
    "make_token": OWNS,
    "revoke_token": OWNS,
    # machines
    "board": SEES,
    "events": SEES,
    "list_machines": SEES,
    "one_machine": SEES,
    "list_signals": SEES,
    "series": SEES,
    "trend": SEES,
    "export_series": SEES,
    "list_assessments": SEES,
    "list_parts": SEES,
    "machine_history": LOOKS,
    "one_site": SEES,
    "place_machine": DECIDES,
    "ask_machine": ASKS,
    "list_commands": LOOKS,
    "one_command": LOOKS,
    "list_profiles": SEES,
    "one_profile": SEES,
    # advisories
    "list_advisories": LOOKS,
    "count_advisories": LOOKS,
    "one_advisory": LOOKS,
    "advisory_why": LOOKS,
    "evidence": LOOKS,
    "advisory_history": LOOKS,
    "note_advisory": WORKS,
    "acknowledge_advisory": WORKS,
    "accept": DECIDES,
    "defer": DECIDES,
    "shelve": DECIDES,
    "reject": DECIDES,
    # tickets
    "list_tickets": SEES,
    "one_ticket": SEES,
    "ticket_why": SEES,
    "history": SEES,
    "comment": SAYS,
    "acknowledge": WORKS,
    "resolve": WORKS,
    "reopen": SAYS,
    "close": SAYS,
    "cancel": DECIDES,
    # the service
    "list_quarantine": LOOKS,
    "counts": LOOKS,
    "one_item": LOOKS,
    "health": LOOKS,
    "metrics": LOOKS,
    "list_alerts": LOOKS,
    "list_deliveries": LOOKS,
    "list_channels": LOOKS,
    "test_channel": MANAGES,
    "list_users": MANAGES,
    "one_user": MANAGES,
    "add_user": MANAGES,
    "change_user": MANAGES,
    "invite_user": MANAGES,
}


def rule_of(operation: str) -> Rule:
    """Return the rule of a route."""
    return RULES.get(operation, MANAGES)


def shown(operation: str) -> dict[str, Any]:
    """Return what the description says of who may call a route."""
    rule = rule_of(operation)
    if rule.roles is None:
        return {"security": [], "x-roles": ["everybody"]}
    return {
        "security": [{"cookie": []}, {"token": []}],
        "x-roles": [role.value for role in Role if role in rule.roles],
        "x-scope": rule.scope.value,
    }
