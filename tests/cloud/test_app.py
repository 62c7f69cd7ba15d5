import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cloud import snapshot
from cloud.app import build
from cloud.errors import CloudError, SettingsError, StoreBusy, StoreError
from cloud.ledger import Registration
from cloud.settings import (
    ApiSettings,
    BrokerSettings,
    ChannelSettings,
    CloudSettings,
    NotifySettings,
)
from cloud.telemetry.checks import EVER, MANY, block
from tests.cloud.keep.conftest import Plant, settings_for
from tests.cloud.wires import T0, S, batch

AHEAD = T0 + 1000 * 86_400 * S


def settings(folder: Path, port: int) -> CloudSettings:
    # Port 1 of loopback: nobody listens there; the link keeps trying and the rest works.
    return CloudSettings(
        data=str(folder), broker=BrokerSettings(port=1), api=ApiSettings(port=port)
    )


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = build(settings(tmp_path, port))
        with pytest.raises(
            CloudError, match=f"api.port: cannot listen on 127.0.0.1:{port}, where another"
        ):
            async with app.running():
                raise AssertionError("it must not run")


async def test_it_serves_without_a_broker_and_says_what_is_missing(tmp_path: Path) -> None:
    app = build(settings(tmp_path, 0))
    async with app.running():
        assert app.server.started
        status = app.health().service
        assert not status.connected
        assert app.service.alive
    assert not app.service.alive


def test_a_wrong_channel_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    channel = ChannelSettings(name="mail", url_file=str(tmp_path / "missing"))
    wrong = msgspec.structs.replace(
        settings(tmp_path / "data", 0), notify=NotifySettings(channels=(channel,))
    )
    with pytest.raises(SettingsError, match="mail"):
        build(wrong)
    assert not list((tmp_path / "data").glob("*.db"))
    assert not (tmp_path / "data" / "journal").exists()


async def test_a_folder_serves_one_service_at_a_time(tmp_path: Path) -> None:
    app = build(settings(tmp_path, 0))
    with pytest.raises(StoreBusy, match="in use"):
        build(settings(tmp_path, 0))
    app.close()


@pytest.mark.parametrize("name", ["notifier", "operator", "upkeep", "live", "console"])
async def test_a_part_that_ends_by_itself_ends_the_service_and_is_named(
    tmp_path: Path, name: str
) -> None:
    app = build(settings(tmp_path, 0))
    async with app.running():
        (task,) = [one for one in asyncio.all_tasks() if one.get_name() == name]
        task.cancel()
        with pytest.raises(CloudError, match=f"{name} stopped"):
            await app.until(asyncio.Event().wait())


async def test_an_api_that_ends_by_itself_ends_the_service(tmp_path: Path) -> None:
    app = build(settings(tmp_path, 0))
    async with app.running():
        app.server.should_exit = True
        with pytest.raises(CloudError, match="api stopped: by itself"):
            await app.until(asyncio.Event().wait())


async def test_it_runs_until_it_is_told(tmp_path: Path) -> None:
    app = build(settings(tmp_path, 0))
    stop = asyncio.Event()
    async with app.running():
        asyncio.get_running_loop().call_soon(stop.set)
        await app.until(stop.wait())
        assert app.service.alive


async def test_a_file_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"{tmp_path}/file/data: Not a directory"):
        build(settings(tmp_path / "file" / "data", 0))
    api = ApiSettings(port=0, cert_file=str(tmp_path / "gone.pem"), key_file="gone.key")
    app = build(msgspec.structs.replace(settings(tmp_path / "data", 0), api=api))
    with pytest.raises(SettingsError, match=f"api.cert_file, key_file: {tmp_path}/gone.pem"):
        async with app.running():
            pass


@pytest.mark.parametrize(
    ("says", "kept"),
    [(None, 60), ({"t0_ns": None}, 60), ({"t0_ns": 5 * S}, 60), ({"t0_ns": AHEAD}, 0)],
    ids=["nobody", "without times", "at 1970", "by its own clock"],
)
def test_a_clock_that_is_set_ahead_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any] | None, kept: int
) -> None:
    """Only another device's own clock bears it out: not what the service stamped itself."""
    plant = Plant(settings_for(tmp_path))
    for _ in range(60):
        plant.go_on()
    if says is not None:
        plant.take("acme.pump2", batch(60, [1.0], name="vibration_rms", **says), at=AHEAD)
    plant.close()
    monkeypatch.setattr("cloud.app.now_ns", lambda: AHEAD + 60 * S)
    with contextlib.closing(build(plant.settings)) as app:
        app.trim()
        found = app.telemetry.series("zeta.pump1", "vibration_rms", *EVER, MANY)
        assert len(found.times_ns) == kept


def test_what_no_devices_clock_bears_out_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither readings that carry the service's own time nor replies to writes."""
    monkeypatch.setattr("cloud.app.now_ns", lambda: AHEAD)
    with contextlib.closing(build(settings(tmp_path, 0))) as app:
        app.ledger.register([Registration("acme.a", "acme.a", "generic", None, T0, "wall")])
        times = T0 + S * np.arange(60)
        app.telemetry.write([block(times, {"temp": np.zeros(60)}, machine="acme.a")], 0)
        app.trim()
        assert len(app.telemetry.series("acme.a", "temp", *EVER, MANY).times_ns) == 60
    assert "no device has told a time of its own" in caplog.text


def test_what_clocks_that_are_ahead_together_would_delete_stays_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(settings_for(tmp_path))
    plant.go_on()
    plant.close()

    def look(at_ns: int) -> int:
        monkeypatch.setattr("cloud.app.now_ns", lambda: at_ns)
        with contextlib.closing(build(plant.settings)) as app:
            app.service.pipeline.decoder.told_ns = at_ns  # as a device of this site would say
            app.trim()
            return len(app.telemetry.series("zeta.pump1", "vibration_rms", *EVER, MANY).times_ns)

    assert look(T0 + S) == 1
    assert look(AHEAD) == 1
    assert "two days more with each day" in caplog.text
    (tmp_path / "retention.json").write_bytes(b"{")  # a first look again
    assert look(AHEAD) == 0


def test_what_devices_told_outlives_a_restart(tmp_path: Path) -> None:
    plant = Plant(settings_for(tmp_path))
    plant.go_on()
    plant.close()
    with contextlib.closing(build(plant.settings)) as app:
        told = app.service.pipeline.decoder.told_ns
        app.service.start()
    assert told == T0
    found = snapshot.load(plant.places.snapshots, 2**62)
    assert found is not None
    assert found.values["told_ns"] == told
