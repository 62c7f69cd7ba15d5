"""Accounts, sign-ins, tokens, links and sites, on each database."""

import msgspec
import pytest

from cloud.accounts.desk import blank
from cloud.accounts.values import Account, Link, Reach, Role, Scope, SignIn, Token
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import Ledger, Registration

T0 = 1_700_000_000_000_000_000
replace = msgspec.structs.replace


def add(ledger: Ledger, name: str, role: Role = Role.ADMINISTRATOR, **more: object) -> Account:
    return ledger.account_add(blank(name, role, **more), None, actor="test")


def sign_in(account: Account, hash_: str, expires_ns: int = T0 * 2) -> SignIn:
    return SignIn(hash=hash_, account=account.id, recorded_ns=T0, seen_ns=T0, expires_ns=expires_ns)


def token(account: Account, hash_: str) -> Token:
    return Token(
        id="", account=account.id, recorded_ns=0, name="x", scope=Scope.READ, hash=hash_,
        expires_ns=T0,
    )  # fmt: skip


def machine(ledger: Ledger, name: str) -> None:
    device = name.partition(":")[0]
    ledger.register([Registration(name, device, "pump", None, T0, "wall")])


def test_a_name_is_one_persons_in_whatever_case(ledger: Ledger) -> None:
    assert not ledger.accounts_exist()
    chen = add(ledger, "Chen")
    assert ledger.accounts_exist()
    assert chen.name == "chen"
    assert ledger.account_named("CHEN") == chen == ledger.account(chen.id)
    with pytest.raises(Conflict):
        add(ledger, "cHEN")
    assert ledger.account_named("' OR 1=1 --") is None


def test_what_changes_rights_ends_sign_ins_and_what_does_not_does_not(ledger: Ledger) -> None:
    add(ledger, "boss")
    one = add(ledger, "li", Role.CUSTOMER, customer="acme", sites=("north", "south"))
    assert ledger.account(one.id).sites == ("north", "south")
    for field, value, stays in (
        ("language", "zh-CN", True),
        ("full_name", "Li", True),
        ("sites", ("north",), False),
        ("customer", "beta", False),
        ("role", Role.PLANNER, False),
        ("password", "hash", False),
        ("active", False, False),
    ):
        ledger.sign_in_add(sign_in(one, field))
        one = ledger.account_change(replace(one, **{field: value}), one.version, actor="boss")
        assert (ledger.sign_in_of(field) is not None) is stays, field
    with pytest.raises(Conflict):
        ledger.account_change(one, one.version - 1, actor="boss")


def test_passwords_are_in_no_event(ledger: Ledger) -> None:
    one = add(ledger, "chen", password="$argon2id$first")
    ledger.account_change(replace(one, password="$argon2id$second"), 1, actor="chen")
    events, _ = ledger.events(subject_id=one.id)
    assert [event.type for event in events] == ["added", "changed"]
    assert "argon2id" not in str(events)


def test_the_last_administrator_stays(ledger: Ledger) -> None:
    one = add(ledger, "chen")
    for change in ({"active": False}, {"role": Role.PLANNER}):
        with pytest.raises(Conflict, match="last administrator"):
            ledger.account_change(replace(one, **change), 1, actor="chen")
    add(ledger, "wang")
    assert not ledger.account_change(replace(one, active=False), 1, actor="wang").active


def test_sign_ins_that_are_over_are_swept(ledger: Ledger) -> None:
    one = add(ledger, "chen")
    ledger.sign_in_add(sign_in(one, "old", T0 - 1))
    ledger.sign_in_add(sign_in(one, "new"))
    assert ledger.sign_in_of("old") is None
    found = ledger.sign_in_of("new")
    assert found is not None
    assert found[1].signed_in_ns == T0
    ledger.sign_in_seen("new", T0 + 5)
    assert ledger.sign_ins_end(one.id) == 1
    ledger.sign_in_end("none")


def test_tokens_are_listed_by_owner_and_revoked_once(ledger: Ledger) -> None:
    chen, wang = add(ledger, "chen"), add(ledger, "wang")
    made = [ledger.token_add(token(chen, f"h{i}"), actor="chen") for i in range(3)]
    ledger.token_add(token(wang, "w"), actor="wang")
    rows, more = ledger.tokens(account=chen.id, limit=2)
    rest, _ = ledger.tokens(account=chen.id, limit=2, after=more)
    assert [row.id for row in (*rows, *rest)] == [row.id for row in reversed(made)]
    assert len(ledger.tokens()[0]) == 4
    first = ledger.token_revoke(made[0].id, actor="chen")
    assert ledger.token_revoke(made[0].id, actor="chen") == first
    ledger.token_used(made[1].id, T0)
    found = ledger.token_of("h1")
    assert found is not None
    assert (found[0].used_ns, found[1].name) == (T0, "chen")


def test_a_link_is_used_once_and_a_newer_one_voids_it(ledger: Ledger) -> None:
    one = add(ledger, "chen")
    link = Link(hash="a", account=one.id, recorded_ns=T0, expires_ns=T0)
    setup = Link(hash="s", account=None, recorded_ns=T0, expires_ns=T0)
    ledger.link_add(link)
    ledger.link_add(setup)
    ledger.link_add(replace(link, hash="b"))
    assert ledger.link_of("a") is None
    assert ledger.link_of("s") == (setup, None)
    assert ledger.link_use("b", "hash").password == "hash"
    with pytest.raises(NotFound):
        ledger.link_use("b", "hash")
    with pytest.raises(Conflict):
        ledger.account_first(blank("eve", Role.ADMINISTRATOR), "s")
    with pytest.raises(Refused):
        ledger.link_use("s", "hash")
    assert ledger.link_of("s") is not None  # refused: nothing of it happened


def test_the_setup_link_makes_one_administrator(ledger: Ledger) -> None:
    ledger.link_add(Link(hash="s", account=None, recorded_ns=T0, expires_ns=T0))
    with pytest.raises(NotFound):
        ledger.account_first(blank("eve", Role.ADMINISTRATOR), "guessed")
    assert not ledger.accounts_exist()
    ledger.account_first(blank("chen", Role.ADMINISTRATOR), "s")
    assert ledger.link_of("s") is None


def test_whose_a_machine_is(ledger: Ledger) -> None:
    for name in ("alfa.a", "alfa.b", "alfa2.c", "al.d", "beta.e:k"):
        machine(ledger, name)

    def seen(customer: str, *sites: str) -> list[str]:
        reach = Reach(customer=customer, sites=sites)
        return [row.id for row in ledger.reaching(reach).machines()[0]]

    assert seen("alfa") == ["alfa.a", "alfa.b"]
    assert seen("al") == ["al.d"]
    assert seen("alfa", "north") == []
    assert seen("") == seen("%") == seen("a_fa") == []
    ledger.site_set("alfa.a", 0, customer="alfa", site="north", actor="test")
    ledger.site_set("alfa.b", 0, customer="beta", site="north", actor="test")
    assert seen("alfa") == seen("alfa", "north") == ["alfa.a"]
    assert seen("beta") == ["alfa.b", "beta.e:k"]
    assert seen("beta", "north", "south") == ["alfa.b"]
    with pytest.raises(Conflict):
        ledger.site_set("alfa.b", 0, customer="alfa", site=None, actor="test")
    ledger.site_set("alfa.b", 1, customer="alfa", site=None, actor="test")
    assert ledger.site("alfa.b").version == 2
    assert ledger.site("alfa2.c").customer == "alfa2"
    with pytest.raises(NotFound):
        ledger.reaching(Reach(customer="alfa")).site("beta.e:k")
    with pytest.raises(NotFound):
        ledger.site_set("alfa.none", 0, customer="alfa", site=None, actor="test")


def test_somebody_with_a_reach_sees_nothing_that_belongs_to_no_machine(ledger: Ledger) -> None:
    one = add(ledger, "chen")
    ledger.token_add(token(one, "h"), actor="chen")
    machine(ledger, "acme.a")
    limited = ledger.reaching(Reach(customer="acme"))
    assert limited.accounts()[0] == []
    assert limited.tokens()[0] == []
    assert {event.subject for event in limited.events()[0]} == {"machine"}
    with pytest.raises(NotFound):
        limited.account(one.id)


def test_devices_are_registered_with_their_clock(ledger: Ledger) -> None:
    ledger.device_add("acme.a", clock="wall", actor="test")
    ledger.device_add("acme.a", clock="data", actor="test")
    ledger.device_add("acme.b", clock="wall", actor="test")
    assert ledger.devices_registered() == {"acme.a": "data", "acme.b": "wall"}
    ledger.device_remove("acme.a", actor="test")
    with pytest.raises(NotFound):
        ledger.device_remove("acme.a", actor="test")
    with pytest.raises(Refused):
        ledger.device_add("acme.c", clock="moon", actor="test")
    assert ledger.devices_registered() == {"acme.b": "wall"}
