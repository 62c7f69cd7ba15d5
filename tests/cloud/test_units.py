from cloud.units import by_machine
from models.contract.messages import Birth, MachineRef, Metric


def test_units_are_told_as_codes_and_a_blank_one_not_at_all() -> None:
    told = {"temp": "deg C", "p1/speed": "rev/min", "load": " ", "level": None}
    birth = Birth(
        boot="boot0001",
        dictionary="0badcafe",
        metrics=tuple(Metric(name=name, unit=unit) for name, unit in told.items()),
        machines={"p1": MachineRef(), "p2": MachineRef()},
    )
    assert by_machine(birth) == {
        "p1": (("temp", "Cel"), ("speed", "/min")),
        "p2": (("temp", "Cel"),),
    }
