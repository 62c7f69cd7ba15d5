import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from cloud.accounts import passwords
from cloud.errors import Refused


def test_hashes_are_argon2id_as_rfc_9106_asks() -> None:
    kept = passwords.make_hash("correct horse battery staple")
    found = extract_parameters(kept)
    assert (found.type, found.memory_cost, found.time_cost) == (Type.ID, 64 * 1024, 3)
    assert passwords.matches("correct horse battery staple", kept)
    assert not passwords.matches("correct horse battery stapl", kept)
    assert "horse" not in kept


def test_nobody_costs_what_somebody_costs() -> None:
    somebody = extract_parameters(passwords.make_hash("x"))
    assert extract_parameters(passwords._NOBODY) == somebody
    assert not passwords.matches("", None)


def test_one_password_however_the_keyboard_spells_it() -> None:
    kept = passwords.make_hash("Übergrößenträger!")
    assert passwords.matches("U\u0308bergro\u0308ßentra\u0308ger!", kept)


def test_a_damaged_hash_matches_nothing() -> None:
    assert not passwords.matches("x", "$argon2id$damaged")


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 257, "aaaaaaaaaaaaaaaa", "my name is chen 1"]
)
def test_weak_ones_are_refused(password: str) -> None:
    with pytest.raises(Refused):
        passwords.check_form(password, "Chen")


@pytest.mark.parametrize("password", ["correct horse battery staple", "密码要够长才行一二三四五六"])
def test_long_ones_are_taken(password: str) -> None:
    passwords.check_form(password, "chen")
