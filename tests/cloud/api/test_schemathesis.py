"""Every operation with generated requests: what comes back is described, and never a fault.

500 requests in the quick tier and 5,000 in the long one. schemathesis checks the answers: status
code, media type, headers and shape are declared, wrong requests are refused, and none is a fault.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from cloud.accounts.values import Role
from cloud.ledger import open_ledger
from cloud.telemetry.sqlite import SqliteTelemetry
from tests.cloud.api.plant import GENERIC, PRESS, SECOND, T0, Opened, Plant

QUICK, LONG = 500, 5_000
#: test_roles.py tries authorisation; and a schema cannot say that a time must lie ahead, that a
#: reason must not be blank, or that a zone must exist
NOT_OURS = [ignored_auth, positive_data_acceptance]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    clock = [T0]

    def tick() -> int:
        clock[0] += 1_000_000
        return clock[0]

    ledger = open_ledger(
        f"sqlite:///{folder / 'ledger.db'}", tick, {"press": PRESS, "generic": GENERIC}
    )
    telemetry = SqliteTelemetry(folder / "telemetry.db")
    plant = Plant(ledger, telemetry, clock)
    for name in ("acme.a", "acme.gw1:b"):
        plant.register(name, "data")
        plant.store(name, "pressure", [T0 + i * SECOND for i in range(20)], [1.5] * 20)
        plant.find(name, "pressure")
        plant.find(name, "axis/x")
    with ThreadPoolExecutor(1) as pool:
        yield Opened(plant, pool)
    telemetry.close()
    ledger.close()


def known(plant: Plant) -> dict[str, list[str]]:
    """Ids that are there, so that not every answer is 404."""
    return {
        "machine": ["acme.a", "acme.gw1:b"],
        "ticket": [row.id for row in plant.ledger.tickets()[0]],
        "advisory": [row.id for row in plant.ledger.advisories()[0]],
        "user": [row.id for row in plant.ledger.accounts()[0]],
        "token": [row.id for row in plant.ledger.tokens()[0]],
        "profile": ["press"],
    }


@pytest.fixture(scope="module")
def calls(opened: Opened) -> "Calls":
    return Calls(opened)


class Calls:
    """The operations of the description, and how one is tried."""

    def __init__(self, opened: Opened) -> None:
        plant = opened.plant
        _, _, secret = plant.person(Role.ADMINISTRATOR)
        self.headers = {"Authorization": f"Bearer {secret}", "Host": "127.0.0.1"}
        app = opened.app()
        document = {**app.openapi(), "servers": [{"url": "http://127.0.0.1"}]}
        schema = schemathesis.openapi.from_dict(document)
        schema.app = app
        schema.location = "http://127.0.0.1/api/v1/openapi.json"
        found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
        self.operations = [one for one in found if one.path != "/api/v1/events"]  # it never ends
        self.known = known(plant)

    def attempt(self, data: st.DataObject) -> int:
        """Draw a request, send it, check the answer; return its status."""
        operation = data.draw(st.sampled_from(self.operations))
        mode = data.draw(st.sampled_from(list(GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE and data.draw(st.booleans()):
            for name in case.path_parameters or {}:
                if name in self.known:
                    case.path_parameters[name] = data.draw(st.sampled_from(self.known[name]))
        answer = case.call(headers=self.headers)
        case.validate_response(answer, headers=self.headers, excluded_checks=NOT_OURS)
        return int(answer.status_code)


def _settings(cases: int) -> settings:
    return settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@_settings(QUICK)
@given(data=st.data())
def test_500_requests(calls: Calls, data: st.DataObject) -> None:
    calls.attempt(data)


@pytest.mark.long
@_settings(LONG)
@given(data=st.data())
def test_5000_requests(calls: Calls, data: st.DataObject) -> None:
    calls.attempt(data)
