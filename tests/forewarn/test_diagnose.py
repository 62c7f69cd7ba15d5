"""What a device answers, as people read it: no number without its unit."""

from collections.abc import Callable
from typing import Any

import pytest

from cloud.diagnostics.values import Answered
from edge_agent.outbox_file import Stats, StreamStats
from forewarn import diagnose
from tests.cloud.api.plant import T0, Plant

Captured = pytest.CaptureFixture[str]
Answers = Callable[[str, dict[str, Any]], list[list[str]]]
STREAM = StreamStats(batches=2, samples=120, bytes=4_096, oldest_ns=T0)
OUTBOX = Stats(
    boots=1,
    batches=2,
    samples=120,
    bytes=4_096,
    oldest_ns=T0,
    streams={"live": STREAM},
    gap_samples=0,
    aside=3,
    disk_bytes=65_536,
)


@pytest.fixture
def answered(url: str, plant: Plant, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Answers:
    """Ask as people do of a device with two machines that answers at once; return what is shown."""
    plant.register("acme.gw1", "data")
    plant.register("acme.gw1:b", "data")

    def ask(op: str, result: dict[str, Any]) -> list[list[str]]:
        def device(topic: str, *_: object, **__: object) -> None:
            said = Answered(
                n=1,
                device="acme.gw1",
                id=topic.rpartition("/")[2],
                state="done",
                status=200,
                text=None,
                result=result,
                at_ns=T0,
                heard_ns=T0,
            )
            assert plant.ledger.commands_answered([said]) == 1

        monkeypatch.setattr(plant, "command", device)
        assert diagnose.main(["acme.gw1:b", op]) == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    return ask


def test_a_snapshot_names_the_unit_of_every_number(answered: Answers) -> None:
    result = {
        "agent": "1.2.3",
        "running_s": 12.5,
        "now_ns": T0,
        "degraded": None,
        "outbox": OUTBOX,
        "receipts": 7,
        "resent": 1,
        "signals": {
            "b/axis/x": {"at_ns": T0, "value": 1.5},
            "b/pressure": {"at_ns": T0, "value": 2},
            "pressure": {"at_ns": T0, "value": True},
        },
    }
    head, *lines = answered("snapshot", result)
    assert head == ["what", "value", "unit", "at (UTC)"]
    shown = {line[0]: line[1:] for line in lines}
    at = "2023-11-14T22:13:20Z"
    assert shown["running_s"] == ["12.5", "s", ""]
    assert shown["now"] == [at, "", ""]
    assert shown["outbox disk_bytes"] == ["65536", "bytes", ""]
    assert shown["outbox aside"] == ["3", "batches", ""]
    assert shown["outbox streams live samples"] == ["120", "samples", ""]
    assert shown["receipts"] == ["7", "receipts", ""]
    assert shown["resent"] == ["1", "times", ""]
    assert shown["signals b/axis/x"] == ["1.5", "mm", at]
    assert shown["signals b/pressure"] == ["2", "bar", at]
    assert shown["signals pressure"] == ["True", "bar", at]
    assert [
        what for what, (value, unit, _) in shown.items() if value[0].isdigit() and not unit
    ] == [
        "agent",
        "now",
        "outbox oldest",
        "outbox streams live oldest",
    ]


def test_a_capture_names_the_unit_of_each_column(answered: Answers) -> None:
    column = {"at_ns": [T0, T0 + 1], "values": [1.0, 2.0]}
    result = {"whole": True, "signals": {"b/pressure": column}}
    head, *lines = answered("capture", result)
    assert head == ["what", "value", "unit"]
    assert lines == [["whole", "True", ""], ["signals b/pressure", "2 values: 1.0, 2.0", "bar"]]


def test_a_network_names_its_units(answered: Answers) -> None:
    card = {"name": "eth0", "speed_mbit": 1000, "received_bytes": 5, "errors": 0}
    result = {"connect_ms": 1.25, "addresses": ["10.0.0.1"], "interfaces": [card]}
    _, *lines = answered("network", result)
    assert lines == [
        ["connect_ms", "1.25", "ms"],
        ["addresses 0", "10.0.0.1", ""],
        ["interfaces 0 name", "eth0", ""],
        ["interfaces 0 speed_mbit", "1000", "Mbit/s"],
        ["interfaces 0 received_bytes", "5", "bytes"],
        ["interfaces 0 errors", "0", "errors"],
    ]
