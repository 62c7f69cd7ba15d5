from cloud.admission import AGAIN_NS, FRESH_NS, STRANGERS, Admission
from cloud.errors import StoreBusy
from models.contract.messages import Birth

T0 = 1_700_000_000_000_000_000


class Register:
    """What is registered, and how often it was asked for."""

    def __init__(self, **clocks: str) -> None:
        self.clocks = {f"acme.{name}": clock for name, clock in clocks.items()}
        self.looks = 0
        self.joined = 0
        self.now = T0
        self.away = False
        self.admission = Admission(self._look, lambda: self.now, self._join)

    def _look(self) -> dict[str, str]:
        self.looks += 1
        if self.away:
            raise StoreBusy("locked")
        return dict(self.clocks)

    def _join(self) -> None:
        self.joined += 1


def test_a_registered_device_is_taken_and_another_is_told_how() -> None:
    register = Register(a="wall")
    assert register.admission("acme.a", None) is None
    assert "forewarn device add acme.b" in (register.admission("acme.b", None) or "")


def test_a_flood_of_strangers_asks_once_a_second() -> None:
    register = Register()
    for i in range(1_000):
        register.now += AGAIN_NS // 500
        assert register.admission(f"acme.x{i}", None)
    assert register.looks <= 3


def test_who_joins_later_is_taken_and_the_broker_asked_for_the_birth_once() -> None:
    register = Register()
    assert register.admission("acme.a", None)
    register.clocks["acme.a"] = "wall"
    register.now += AGAIN_NS
    assert [register.admission("acme.a", None) for _ in range(3)] == [None] * 3
    assert register.joined == 1


def test_who_is_removed_is_refused_within_ten_seconds() -> None:
    register = Register(a="wall")
    assert register.admission("acme.a", None) is None
    register.clocks.clear()
    register.now += FRESH_NS
    assert register.admission("acme.a", None)


def test_the_clock_is_the_registered_one() -> None:
    register = Register(a="wall", b="data")
    assert "--time data" in (
        register.admission(
            "acme.a", Birth(boot="boot-1", dictionary="d", metrics=(), machines={}, time="data")
        )
        or ""
    )
    assert (
        register.admission("acme.a", Birth(boot="boot-1", dictionary="d", metrics=(), machines={}))
        is None
    )
    assert (
        register.admission(
            "acme.b", Birth(boot="boot-1", dictionary="d", metrics=(), machines={}, time="data")
        )
        is None
    )


def test_batches_wait_on_the_device_while_its_birth_is_refused() -> None:
    register = Register(a="wall")
    wrong = Birth(boot="boot-1", dictionary="d", metrics=(), machines={}, time="data")
    assert register.admission("acme.a", wrong)
    assert all("birth" in str(register.admission("acme.a", None)) for _ in range(100))
    assert register.joined == 0, "the broker is not asked again and again"
    register.clocks["acme.a"] = "data"
    register.now += FRESH_NS
    assert register.admission("acme.a", None) is None
    assert register.joined == 1
    assert register.admission("acme.a", wrong) is None


def test_a_ledger_that_is_away_changes_nothing() -> None:
    register = Register(a="wall")
    assert register.admission("acme.a", None) is None
    register.away = True
    register.now += FRESH_NS
    assert register.admission("acme.a", None) is None


def test_strangers_are_remembered_within_bounds() -> None:
    register = Register()
    for i in range(2 * STRANGERS):
        register.admission(f"acme.x{i}", None)
    assert len(register.admission._strangers) == STRANGERS
