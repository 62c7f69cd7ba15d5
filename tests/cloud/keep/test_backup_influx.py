"""Readings in a real InfluxDB are in the backup, and in a new server after the restore."""

import threading
from pathlib import Path

import numpy as np
import pytest
import zstandard

from cloud.app import App
from cloud.errors import StoreBusy, StoreError
from cloud.keep.backup import back_up
from cloud.keep.manifest import TELEMETRY
from cloud.keep.restore import restore
from cloud.places import places
from cloud.settings import ApiSettings, BrokerSettings, CloudSettings, TelemetrySettings
from cloud.telemetry import Passing, TelemetryStore
from cloud.telemetry.checks import block
from cloud.telemetry.influx import setup
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.server import Influxd, running
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.opening import StoreCopy, open_copy
from cloud.telemetry.rollup import MINUTE_NS
from tests.cloud.keep.conftest import DEVICES, Plant
from tests.cloud.telemetry.conftest import influxd
from tests.cloud.wires import T0

__all__ = ["influxd"]
SIGNAL = "vibration_rms"


def settings_on(server: Influxd, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CloudSettings:
    """Settings of an installation in a folder, its readings on a server, with its buckets made."""
    prefix = f"b-{folder.parent.name[-20:].replace('_', '-')}-{folder.name}".strip("-")
    secret = f"TOKEN_{server.port}"
    monkeypatch.setenv(secret, server.token)
    kept = Retention(raw_days=0, minute_days=0)
    setup.make_buckets(server.server, Buckets.of(prefix), kept)
    return CloudSettings(
        data=str(folder),
        broker=BrokerSettings(port=1),
        api=ApiSettings(port=0),
        telemetry=TelemetrySettings(
            store="influx",
            url=server.server.url,
            org=server.server.org,
            bucket=prefix,
            token_env=secret,
            raw_days=0,
            minute_days=0,
        ),
    )


def copying(settings: CloudSettings) -> StoreCopy:
    found = open_copy(settings.telemetry, Path(settings.data))
    assert found is not None
    return found


def content(store: TelemetryStore, device: str) -> tuple[list[float], list[int]]:
    """Return a machine's readings, and the counts of its minutes."""
    values = store.series(device, SIGNAL, 0, 2**62, 10**6).values
    return values.tolist(), store.buckets(device, SIGNAL, 0, 2**62, MINUTE_NS).count.tolist()


def test_readings_on_a_server_are_restored_to_another_one(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_on(influxd, tmp_path / "one", monkeypatch)
    plant = Plant(settings)
    for _ in range(40):
        plant.go_on()
    stop = threading.Event()
    load = threading.Thread(target=plant.until, args=(stop,))
    load.start()
    try:
        before = plant.taken
        made = back_up(plant.places, tmp_path / "b", lambda: T0, copying(settings))
    finally:
        stop.set()
        load.join()
    found = {device: content(plant.telemetry, device) for device in DEVICES}
    plant.close()
    with running(tmp_path / "elsewhere") as other:
        second = settings_on(other, tmp_path / "two", monkeypatch)
        with pytest.raises(StoreError, match="InfluxDB"):
            restore(tmp_path / "b", places(second))
        restore(tmp_path / "b", places(second), copying(second))
        app = App(second)  # replays what came behind the copy
        assert app.service.pipeline.position == made.positions.journal_end
        for device in DEVICES:
            values, counts = content(app.telemetry, device)
            assert len(values) >= before
            assert values == found[device][0][: len(values)]
            assert sum(counts) == len(values)
        app.close()
        with pytest.raises(StoreError, match="not empty"):
            restore(tmp_path / "b", places(settings_of_other(second, tmp_path)), copying(second))


def settings_of_other(settings: CloudSettings, folder: Path) -> CloudSettings:
    return CloudSettings(data=str(folder / "three"), telemetry=settings.telemetry)


def test_every_bit_of_every_point_comes_back(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_on(influxd, tmp_path / "one", monkeypatch)
    plant = Plant(settings)
    for _ in range(60):
        plant.go_on()
    assert plant.telemetry.durable_position() == plant.pipeline.position
    plant.close()
    first = open_copy(settings.telemetry, tmp_path / "elsewhere")  # no shipment is in hand there
    assert first is not None
    assert first.export(tmp_path / "first") > 60 * len(DEVICES)
    second = copying(settings_on(influxd, tmp_path / "two", monkeypatch))
    with second.loaded(tmp_path / "first") as refused:
        assert refused == 0
    second.export(tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        assert lines_of(path) == lines_of(tmp_path / "second" / path.name)


def lines_of(path: Path) -> set[bytes]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as lines:
        return {line for line in lines.read().splitlines() if not line.startswith(b"position")}


def test_nothing_is_shipped_while_a_copy_is_made(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_on(influxd, tmp_path / "one", monkeypatch)
    plant = Plant(settings)
    plant.go_on()
    before = plant.telemetry.durable_position()
    with copying(settings).held() as position:
        assert position == before
        with pytest.raises(StoreBusy):
            ShipmentLog(Path(settings.data) / "influx").seize()
        plant.go_on()
        assert plant.telemetry.durable_position() == before
        assert "backup" in (plant.telemetry.trouble() or "")
    while plant.telemetry.durable_position() < plant.pipeline.position:
        pass
    assert plant.telemetry.trouble() is None
    plant.close()


def test_the_service_stays_ready_while_a_copy_is_made(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_on(influxd, tmp_path / "one", monkeypatch)
    app = App(settings)
    with copying(settings).held():
        app.telemetry.write([block([1, 2, 3], {"x": np.arange(3.0)})], 0)
        assert app.telemetry.durable_position() == -1
        assert isinstance(app.telemetry.trouble(), Passing)
        assert app.service.status().store_error is None
    while app.telemetry.durable_position() < 0:
        pass
    influxd.stop()
    try:
        app.telemetry.write([block([4], {"x": np.arange(1.0)}, seq=3)], 1)
        assert app.telemetry.durable_position() == 0
        assert "no answer" in (app.service.status().store_error or "")
    finally:
        influxd.start()
    app.close()


def test_a_restore_that_fails_leaves_no_readings(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_on(influxd, tmp_path / "one", monkeypatch)
    plant = Plant(settings)
    plant.go_on()
    plant.telemetry.durable_position()
    back_up(plant.places, tmp_path / "b", lambda: T0, copying(settings))
    plant.close()
    second = settings_on(influxd, tmp_path / "two", monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr("cloud.keep.restore.load", _fail)
        with pytest.raises(StoreError, match="on purpose"):
            restore(tmp_path / "b", places(second), copying(second))
    assert not places(second).data.exists()
    assert (tmp_path / "b" / TELEMETRY).is_dir()
    restore(tmp_path / "b", places(second), copying(second))


def _fail(*_: object) -> None:
    raise StoreError("on purpose")
