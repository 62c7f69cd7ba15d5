import pytest

from edge_agent.drivers import DRIVERS, find, names
from models.plugins import UnknownPluginError


def test_every_driver_of_the_table_can_be_found() -> None:
    assert set(names()) >= set(DRIVERS)
    for name in DRIVERS:
        kind = find(name)
        assert isinstance(kind.patient, bool)
        assert kind.Options.__struct_config__.forbid_unknown_fields


def test_an_unknown_driver_is_a_key_error() -> None:
    with pytest.raises(UnknownPluginError):
        find("modem")
