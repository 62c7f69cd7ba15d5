"""Plug-in detectors from the settings: found, refused, kept in the shadow, reported when off."""

import logging
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from cloud.advisories.modes import modes_for
from cloud.detectors import Drifts, Watched, detectors_of
from cloud.errors import SettingsError
from cloud.ledger import open_ledger
from cloud.link import Link
from cloud.service import Service
from cloud.settings import BrokerSettings
from cloud.telemetry.sqlite import SqliteTelemetry
from forewarn.recordings import blocks
from models.assessment import Check, Condition, State
from models.profile import Profile, load_profiles
from tests.models.anomaly.trained import SIGNALS, START, plant, recording, saved

PUMP = load_profiles()["centrifugal-pump"]


def counting_on(name: str) -> Profile:
    mode = msgspec.structs.replace(PUMP.failure_modes["bearing-wear"], detectors=(name,))
    return msgspec.structs.replace(PUMP, failure_modes={**PUMP.failure_modes, "bearing-wear": mode})


def test_ours_and_trained_ones_are_found(tmp_path: Path) -> None:
    path = saved(tmp_path)
    found = detectors_of({"generic": ["gaussian", str(path)]}, load_profiles())
    assert set(found["generic"]) == {"gaussian", "plant-autoencoder"}
    for make in found["generic"].values():
        assert make() is not make()
        assert make().score_one({}) == 0.0


class Outsider:
    def score_one(self, x: Mapping[str, float]) -> float:
        return 0.5

    def learn_one(self, x: Mapping[str, float]) -> None:
        pass


def test_one_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("outsider", f"{__name__}:Outsider", "forewarn.detectors")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point][: group == point.group])
    found = detectors_of({"generic": ["outsider"]}, load_profiles())
    assert found["generic"]["outsider"]().score_one({}) == 0.5


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"kettle": ["forest"]}, "detectors.kettle: there is no such profile"),
        ({"generic": ["crystal-ball"]}, "detectors.generic: no plug-in 'crystal-ball'"),
        ({"generic": ["/nowhere/x.onnx"]}, "detectors.generic: /nowhere/x.json: cannot be read"),
    ],
)
def test_what_is_wrong_is_named(named: dict[str, list[str]], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        detectors_of(named, load_profiles())


def test_a_tampered_model_stops_the_start(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SettingsError, match="not the one that its card describes"):
        detectors_of({"generic": [str(path)]}, load_profiles())


def test_a_model_in_the_shadow_may_not_be_counted_on(tmp_path: Path) -> None:
    profiles = {PUMP.name: counting_on("plant-autoencoder")}
    with pytest.raises(SettingsError, match="still in the shadow: forewarn train activate"):
        detectors_of({PUMP.name: [str(saved(tmp_path))]}, profiles)
    detectors_of({PUMP.name: [str(saved(tmp_path, state="active"))]}, profiles)


def test_a_detector_speaks_for_the_modes_that_name_it() -> None:
    onset = Condition(
        signal="forest",
        check=Check.DETECTOR,
        active=True,
        since_ns=0,
        score=1.0,
        severity=1,
        onset=True,
        value=0.99,
        expected=None,
    )
    assert modes_for(onset, PUMP, State.NORMAL) == ["unusual-pattern"]
    assert modes_for(onset, counting_on("forest"), State.NORMAL) == ["bearing-wear"]
    assert modes_for(onset, counting_on("lof"), State.NORMAL) == ["unusual-pattern"]


def test_drift_is_said_once_when_it_begins_and_once_when_it_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drifts: Drifts = {}
    named = {"generic": [str(saved(tmp_path))]}
    made = detectors_of(named, load_profiles(), drifts)["generic"]["plant-autoencoder"]()
    assert isinstance(made, Watched)
    values = plant(2_400, seed=9)
    values[800:1_600, 3] += 0.4
    counted = []
    with caplog.at_level(logging.WARNING):
        for row in values.tolist():
            made.learn_one(dict(zip(SIGNALS, row, strict=True)))
            counted.append(drifts["generic", "plant-autoencoder"])
    assert (counted[0], max(counted), counted[-1]) == (0, 1, 0)
    said = [record.getMessage() for record in caplog.records]
    assert ["no longer fit" in text for text in said] == [True, False]
    assert "fit the model again" in said[1]


class Uneasy(Outsider):
    """Finds every row unusual."""

    def score_one(self, x: Mapping[str, float]) -> float:
        return 1.0


def test_the_service_runs_them_also_after_a_snapshot(tmp_path: Path) -> None:
    profiles = load_profiles()
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db", lambda: START, profiles)

    def service() -> Service:
        return Service(
            folder=tmp_path,
            profiles=profiles,
            telemetry=SqliteTelemetry(tmp_path / "telemetry.db", background=False),
            ledger=ledger,
            link=Link(BrokerSettings(port=1), lambda: START),
            now=lambda: START,
            snapshot_ns=10**12,
            free_percent=0,
            detectors={"generic": {"uneasy": Uneasy}},
        )

    one = recording(plant(40))
    for first in (0, 20):
        made = service()
        times, values = one.times_ns[first : first + 20], one.values[first : first + 20]
        fleet = made.pipeline.fleet
        fleet.observe(list(blocks("acme.m", SIGNALS, times, values)))
        made.stop()  # writes a snapshot
        [found] = [c for c in fleet.current("acme.m").conditions if c.check is Check.DETECTOR]
        assert (found.signal, found.active, found.value) == ("uneasy", True, 1.0)
    ledger.close()
